"""Calling incident procedures by name: at their own address, or at /rest/incident/NAME as plain JSON."""
import re
import urllib.parse

INCIDENTS, SYSTEMS = "/api/v1/incidents", "/api/v1/systems"

TABLE = {
    "listIncidents": ("GET", INCIDENTS),
    "createIncident": ("POST", INCIDENTS),
    "getIncident": ("GET", INCIDENTS + "/{id}"),
    "updateIncident": ("PATCH", INCIDENTS + "/{id}"),
    "deleteIncident": ("DELETE", INCIDENTS + "/{id}"),
    "resolveIncident": ("POST", INCIDENTS + "/{id}/resolve"),
    "addUpdate": ("POST", INCIDENTS + "/{incidentId}/updates"),
    "editUpdate": ("PATCH", INCIDENTS + "/{incidentId}/updates/{updateId}"),
    "deleteUpdate": ("DELETE", INCIDENTS + "/{incidentId}/updates/{updateId}"),
    "addLink": ("POST", INCIDENTS + "/{incidentId}/links"),
    "updateLink": ("PATCH", INCIDENTS + "/{incidentId}/links/{linkId}"),
    "removeLink": ("DELETE", INCIDENTS + "/{incidentId}/links/{linkId}"),
    "bulkResolveIncidents": ("POST", INCIDENTS + "/bulk-resolve"),
    "bulkDeleteIncidents": ("POST", INCIDENTS + "/bulk-delete"),
    "getManyEntityStates": ("POST", INCIDENTS + "/states"),
    "getBulkIncidentUpdates": ("POST", INCIDENTS + "/updates"),
    "resolveIncidentRefs": ("POST", INCIDENTS + "/refs"),
    "listOpenIncidentsBySystem": ("GET", INCIDENTS + "/by-system"),
    "getIncidentsForSystem": ("GET", SYSTEMS + "/{systemId}/incidents"),
    "hasActiveIncidentWithSuppression": ("GET", SYSTEMS + "/{systemId}/suppression"),
    "getBulkIncidentsForSystems": ("POST", SYSTEMS + "/incidents"),
    "getActiveHealthOverrides": ("POST", SYSTEMS + "/health-overrides"),
}
READS = {name for name, (method, _) in TABLE.items() if method == "GET" or name in (
    "getManyEntityStates", "getBulkIncidentUpdates", "resolveIncidentRefs", "getBulkIncidentsForSystems",
    "getActiveHealthOverrides")}


def _query(fields):
    return "?" + urllib.parse.urlencode({name: str(value).lower() if isinstance(value, bool) else value
                                         for name, value in fields.items()}) if fields else ""


class Procedures:
    """`address`: "v1", "rest", or "rest by GET", which differs from "rest" for what is GET in the table."""

    def __init__(self, api, address):
        self.api, self.address = api, address

    def call(self, name, **fields):
        method, path = TABLE[name]
        if self.address == "v1":
            in_path = re.findall(r"{(\w+)}", path)
            path = path.format(**{field: urllib.parse.quote(str(fields.pop(field)), safe="") for field in in_path})
        else:
            path = f"/rest/incident/{name}"
            method = "GET" if method == "GET" and self.address == "rest by GET" else "POST"
        if method == "GET":
            return self.api.get(path + _query(fields))
        return self.api.call(method, path, fields or None)

    def ok(self, name, **fields):
        """The answer of a call that must succeed; None where there is none."""
        reply = self.call(name, **fields)
        assert reply.status in (200, 201, 204), reply
        return reply.json if reply.body else None

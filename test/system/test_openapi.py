"""The API's description of itself: valid, complete, true, and good enough to generate a client from.

What each is for, to be seen by breaking it: with a member missing in app/schemas.c test_answers_are_as_described names it; with a field's
type left out of core/openapi/openapi_schema.c the client does not compile; with `security` a string the validator complains.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from api import incident
from programs import need

CLIENT = pathlib.Path(__file__).parent / "client"
NPM_S = 300


def describe(node):
    reply = node.anonymous.get("/openapi.json")
    assert reply.status == 200 and reply.type == "application/json"
    return reply.json


def operations(document):
    return {operation["operationId"]: (method, path, operation)
            for path, item in document["paths"].items() for method, operation in item.items()}


def test_says_what_the_table_says(node):
    document = describe(node)
    known = operations(document)
    assert document["openapi"].startswith("3.1.") and len(known) >= 50
    method, path, create = known["createIncident"]
    assert (method, path) == ("post", "/api/v1/incidents")
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["title", "severity", "systemIds"] and body["additionalProperties"] is False
    assert body["properties"]["title"] == {"type": "string", "minLength": 1, "maxLength": 500,
                                           "description": body["properties"]["title"]["description"]}
    assert body["properties"]["description"]["type"] == ["string", "null"]
    assert body["properties"]["healthOverride"]["enum"] == ["degraded", "unhealthy", None]
    assert {"$ref": "#/components/parameters/IdempotencyKey"} in create["parameters"]
    assert create["security"] == [{"key": ["incident.incident.manage"]}, {"session": ["incident.incident.manage"]}]
    assert known["listIncidents"][2]["security"][0] == {} and known["getHealth"][2]["security"] == []
    assert not any(parameter.get("$ref", "").endswith("IdempotencyKey")
                   for name in ("logIn", "ingestAlertmanager") for parameter in known[name][2]["parameters"])


# Of these not even the type is known: what PagerDuty does not say of its own, and what an event was about.
ANYTHING = {"ingestPagerDuty": {"payload", "client", "client_url", "links", "images"}, "AuditEntry": {"previous", "next"}}


def untyped(schema):
    """The members of an object, and items of lists of it, that may be anything."""
    found = {name for name, member in schema.get("properties", {}).items() if not {"type", "$ref"} & set(member)}
    return found | {name for name, member in schema.get("properties", {}).items()
                    if "items" in member and not {"type", "$ref"} & set(member["items"])}


def test_everything_has_a_type(node):
    """Seen to fail with `alerts` and the items of editHistory any JSON."""
    document = describe(node)
    bodies = {name: operation["requestBody"]["content"]["application/json"]["schema"]
              for name, (_, _, operation) in operations(document).items() if "requestBody" in operation}
    found = {name: untyped(schema) for name, schema in (bodies | document["components"]["schemas"]).items()}
    assert {name: members for name, members in found.items() if members} == ANYTHING


URLS = {
    **dict.fromkeys(["http://example.org", "https://e", "HTTPS://a/b?c=d#e", "http://\u00e9"], True),
    **dict.fromkeys(["ftp://example.org", "http://", "example.org", " http://a", "javascript:http://a"], False),
    **{f"http://{character}a": False for character in '/?# \t\r\n"<>'},
    **{f"http://a{character}": False for character in ' \t\r\n"<>'},
}
NAMES = {
    **dict.fromkeys(["a", "Ada Lovelace", "\u00e9\u00e9", "\u00a0"], True), " ": False,
    **{place.replace("?", character): False for place in ("?a", "a?") for character in " \0\1\x1f\x7f"},
    **{f"a{character}b": False for character in "\0\1\x1f\x7f"},
}


def test_patterns_are_what_is_taken(node):
    """What the description's pattern lets through is taken, and nothing else. Seen to fail without `pattern` in the rows, and
    with any one character of either pattern taken out."""
    known = operations(describe(node))
    system = node.api.post("/api/v1/systems", {"name": "patterns"}).json["id"]
    made = node.api.create("patterns")["id"]

    def pattern(name, field):
        found = known[name][2]["requestBody"]["content"]["application/json"]["schema"]["properties"][field]["pattern"]
        return re.compile(found.removesuffix("$") + r"\Z")  # "$" as in ECMAScript: the end, and not before a line's

    def expect(name, field, path, texts, **others):
        for text, is_good in texts.items():
            assert (pattern(name, field).search(text) is not None) == is_good, (name, text)
            reply = node.api.post(path, {**others, field: text})
            assert reply.status == (201 if is_good else 400), (name, text, reply)

    expect("addLink", "url", f"/api/v1/incidents/{made}/links", URLS)
    expect("addSystemLink", "url", f"/api/v1/systems/{system}/links", URLS)
    expect("createUser", "name", "/api/v1/users", NAMES, role="viewer", password="correct horse battery")
    assert pattern("updateLink", "url") == pattern("addLink", "url")
    assert pattern("updateUser", "name") == pattern("createUser", "name")


def test_bounds_of_cursors(node):
    """As refused: an empty one, which a client may well send for the first page, and one beyond what any list gives. Seen
    to fail with no bounds in the description."""
    found = {name: (path, parameter["schema"]) for name, (_, path, operation) in operations(describe(node)).items()
             for parameter in operation["parameters"] if parameter.get("name") == "cursor"}
    assert {"listIncidents", "listAuditTrail"} <= set(found)
    for path, schema in found.values():
        path = path.replace("{systemId}", "s")
        for length, words in ((schema["minLength"] - 1, "at least"), (schema["minLength"], "is not a cursor"),
                              (schema["maxLength"], "is not a cursor"), (schema["maxLength"] + 1, "at most")):
            reply = node.api.get(f"{path}?cursor={'x' * length}")
            detail, = [error["detail"] for error in reply.json["errors"]]
            assert reply.status == 400 and words in detail, (path, length, detail)


def check(document, schema, value, where):
    """What is described is there, and what is there is described."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), (where, value)
        for name, member in value.items():
            check(document, schema["properties"][name], member, f"{where}.{name}")
    elif schema.get("type") == "array":
        for item in value:
            check(document, schema["items"], item, where)
    elif schema.get("additionalProperties") is True:
        assert isinstance(value, dict), (where, value)
    elif "additionalProperties" in schema:
        for name, member in value.items():
            check(document, schema["additionalProperties"], member, f"{where}[{name}]")
    elif "enum" in schema:
        assert value in schema["enum"], (where, value)
    elif "type" in schema:
        expected = {"string": str, "integer": int, "boolean": bool}[schema["type"]]
        assert isinstance(value, expected), (where, value)


def test_answers_are_as_described(node):
    document, made = describe(node), {}
    known = operations(document)

    def call(name, body=None, **parameters):
        method, path, operation = known[name]
        path = re.sub(r"{(\w+)}", lambda found: parameters.get(found[1], parameters.get("id")), path)
        reply = node.api.call(method.upper(), path, body)
        described = operation["responses"][str(reply.status)]
        if reply.status != 204:
            check(document, described["content"]["application/json"]["schema"], reply.json, name)
            made[name] = reply.json
        return reply

    one = node.api.create("described", initialMessage="x", description="d", healthOverride="degraded")["id"]
    call("addUpdate", {"message": "m", "statusChange": "fixing"}, incidentId=one)
    call("addLink", {"url": "https://example.org/", "label": "l"}, incidentId=one)
    call("editUpdate", {"message": "other"}, incidentId=one, updateId=made["addUpdate"]["id"])
    call("getIncident", id=one)
    call("listIncidents")
    call("getIncidentsForSystem", systemId="described")
    call("listOpenIncidentsBySystem")
    call("hasActiveIncidentWithSuppression", systemId="described")
    for name, field in (("getManyEntityStates", "ids"), ("resolveIncidentRefs", "ids"),
                        ("getBulkIncidentUpdates", "incidentIds")):
        call(name, {field: [one]})
    for name in ("getBulkIncidentsForSystems", "getActiveHealthOverrides"):
        call(name, {"systemIds": ["described"]})
    call("updateIncident", {"title": "t"}, id=one)
    call("resolveIncident", {}, id=one)
    call("bulkDeleteIncidents", {"ids": [one, "nothing"]})
    call("createSystem", {"id": "sys", "name": "Sys", "description": "d"})
    call("addSystemContact", {"type": "email", "value": "a@example.org"}, id="sys")
    call("addSystemLink", {"url": "https://example.org/"}, id="sys")
    call("getSystem", id="sys")
    call("listSystems")
    call("createGroup", {"name": "G"})
    call("getGroup", id=made["createGroup"]["id"])
    call("listGroups")
    call("createApiKey", {"name": "k", "role": "viewer"})
    call("listApiKeys")
    call("createUser", {"name": "u", "role": "viewer", "password": "correct horse battery"})
    call("listUsers")
    call("getSession")
    call("createSource", {"name": "s"})
    call("listSources")
    call("listAuditTrail")
    call("getHealth")
    reply = node.api.call("POST", "/api/v1/incidents", incident("described", title=""))
    check(document, document["components"]["schemas"]["Problem"], reply.json, "Problem")


def test_page_for_people(node):
    reply = node.anonymous.get("/docs")
    page = reply.body.decode()
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/html")
    assert "<script" not in page and not re.search(r'(src|href)="(https?:)?//', page)
    for name in operations(describe(node)):
        assert f'id="{name}"' in page


def test_page_says_what_answers_are(node):
    """Whatever an answer is called leads to its members. Seen to fail with the names alone, and with `more` left out."""
    page = node.anonymous.get("/docs").body.decode()
    places = set(re.findall(r'id="?([\w-]+)', page))
    links = set(re.findall(r'href="#([\w-]+)"', page))
    assert links <= places and {"schema-Incident", "schema-OpenedIncident"} <= links
    # What is wider than a telephone can be moved, and each word is one: seen clipped, and with one capital letter for all.
    assert ".body,section{overflow-x:auto}" in page and "</a><a " not in page
    sections = dict(re.findall(r'<section id="schema-(\w+)">(.*?)</section>', page))
    schemas = describe(node)["components"]["schemas"]
    assert set(sections) == set(schemas)
    for name, schema in schemas.items():
        assert re.findall(r"<td><code>(\w+)</code>", sections[name]) == list(schema.get("properties", {})), name


def run(folder, *command, **extra):
    done = subprocess.run(command, cwd=folder, env={**os.environ, **extra}, capture_output=True, text=True,
                          timeout=NPM_S, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    need("npm")
    folder = tmp_path_factory.mktemp("client")
    for path in CLIENT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=5")
    return folder


def test_a_public_validator_agrees_and_a_generated_client_works(node, packages):
    (packages / "openapi.json").write_bytes(node.anonymous.get("/openapi.json").body)
    run(packages, "node", "validate.mjs", "openapi.json")
    run(packages, "npx", "--no-install", "openapi-typescript", "openapi.json", "-o", "schema.d.ts")
    run(packages, "npx", "--no-install", "tsc", "-p", ".")
    assert run(packages, "node", "out/client.js", TOCSIN_URL=node.url, TOCSIN_KEY=node.key).strip() == "done"

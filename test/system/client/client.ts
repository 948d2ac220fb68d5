// A user of the generated client: what it expects of the types is checked by the compiler, what it expects of the
// server when it runs. Environment: TOCSIN_URL, TOCSIN_KEY.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const baseUrl = process.env.TOCSIN_URL!;
const known = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${process.env.TOCSIN_KEY}` } });
const stranger = createClient<paths>({ baseUrl });

const made = await known.POST("/api/v1/incidents", {
	params: { header: { "Idempotency-Key": "typescript" } },
	body: { title: "From TypeScript", severity: "critical", systemIds: ["typescript"] },
});
assert.equal(made.response.status, 201);
const incident = made.data as components["schemas"]["Incident"];
assert.equal(incident.status, "investigating");

// @ts-expect-error: there is no such severity
const wrong: components["schemas"]["Incident"]["severity"] = "catastrophic";
assert.ok(wrong);

const said = await known.POST("/api/v1/incidents/{incidentId}/updates", {
	params: { path: { incidentId: incident.id } },
	body: { message: "Looking into it", statusChange: "identified", visibility: "internal" },
});
assert.equal(said.data?.visibility, "internal");

const seen = await known.GET("/api/v1/incidents/{id}", { params: { path: { id: incident.id } } });
const detail: components["schemas"]["IncidentDetail"] = seen.data!;
assert.equal(detail.status, "identified");
assert.equal(detail.updates.length, 1);
const public_ = await stranger.GET("/api/v1/incidents/{id}", { params: { path: { id: incident.id } } });
assert.equal(public_.data?.updates.length, 0);

const page = await stranger.GET("/api/v1/incidents", { params: { query: { limit: 1 } } });
assert.equal(page.data?.incidents[0].id, incident.id);

const refused = await stranger.POST("/api/v1/incidents", {
	body: { title: "No", severity: "minor", systemIds: ["x"] },
});
const problem: components["schemas"]["Problem"] = refused.error!;
assert.equal(problem.status, 401);

const metrics = await stranger.GET("/metrics", { parseAs: "text" });
const text: string = metrics.data!;
assert.match(text, /^# HELP/m);

const alerts = [{ status: "firing", labels: { alertname: "Down", system: "typescript" }, fingerprint: "0123" }];
const taken = await known.POST("/api/v1/alerts/alertmanager", { body: { version: "4", alerts } });
assert.equal(taken.data?.joined, 1);
// @ts-expect-error: alerts are a list
const none = await known.POST("/api/v1/alerts/alertmanager", { body: { version: "4", alerts: 5 } });
assert.equal(none.response.status, 400);

await known.POST("/api/v1/incidents/{id}/resolve", { params: { path: { id: incident.id } }, body: {} });
const gone = await known.DELETE("/api/v1/incidents/{id}", { params: { path: { id: incident.id } } });
assert.equal(gone.response.status, 204);
console.log("done");

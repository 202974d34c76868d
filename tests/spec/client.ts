/** Uses what openapi-typescript made, without a cast: `node client.js URL TOKEN CLUSTER`. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
const [baseUrl, token, id] = process.argv.slice(2) as [string, string, string];
const headers = { Authorization: `Bearer ${token}` };
const path = { id_or_name: id };

// An answer may be JSON, or with `Accept` a stream: a client names the types that it asks for.
const json = createClient<paths, "application/json" | "application/problem+json">({ baseUrl, headers });
const stream = createClient<paths, "text/event-stream" | "application/problem+json">({
  baseUrl,
  headers: { ...headers, Accept: "text/event-stream" },
});
const text = createClient<paths, "text/plain" | "application/problem+json">({ baseUrl, headers: { ...headers, Accept: "text/plain" } });

const asked = await json.GET("/api/v1/clusters/{id_or_name}/events", { params: { path, query: { limit: 3 } } });
if (asked.error) throw new Error(`${asked.error.code}: ${asked.error.detail}`);
const page: Schemas["EventPage"] = asked.data;
for (const event of page.items) {
  if (event.type === "log_line") event.data.text satisfies string;
  // @ts-expect-error only a line of the log has a text
  if (event.type === "phase_changed") event.data.text satisfies string;
}

const told = await stream.GET("/api/v1/clusters/{id_or_name}/events", { params: { path }, parseAs: "stream" });
const first = new TextDecoder().decode((await told.data!.getReader().read()).value);

const listed = await json.GET("/api/v1/clusters");
const names: string[] = listed.data!.items.map((cluster) => cluster.name);
const used = await json.GET("/api/v1/clusters/{id_or_name}/usage", { params: { path } });
const memory: number = used.data!.memory_bytes;
const file = await text.GET("/api/v1/clusters/{id_or_name}/kubeconfig", { params: { path }, parseAs: "text" });
const kubeconfig: string = file.data!;

console.log(JSON.stringify({ seqs: page.items.map((each) => each.seq), first, names, memory, text: kubeconfig }));
process.exit(0);

import createClient from "openapi-fetch";
import { asProblem, problemFrom, unreachable } from "./problem";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Cluster = Schemas["Cluster"];
export type Phase = Schemas["Phase"];
export type Step = Schemas["Step"];
export type Failure = Schemas["Failure"];
export type ClusterEvent = Schemas["EventPage"]["items"][number];
export type CreateCluster = Partial<Schemas["CreateCluster"]>;
export type Template = Schemas["Template"];
export type Capacity = Schemas["Capacity"];
export type Idle = Schemas["Idle"];
export type ServerInfo = Schemas["ServerInfo"];
export type Me = Schemas["Me"];
export type User = Schemas["User"];
export type Token = Schemas["Token"];
export type CreatedToken = Schemas["CreatedToken"];
export type Scope = Schemas["Scope"];
export type Credential = Schemas["Credential"];
export type Endpoint = Schemas["Endpoint"];
export type App = Schemas["App"];
export type AppKind = Schemas["AppKind"];
export type Image = Schemas["Image"];
export type LoadedImages = Schemas["LoadedImages"];
export type Usage = Schemas["Usage"];
export type PoolState = Schemas["PoolState"];

const REQUEST_TIMEOUT_MS = 20_000;

/** The largest page of a list; the server keeps fewer of each than this. */
const WHOLE_LIST = { limit: 500 };

const http = createClient<paths>({
  // Looked up for each call, and never longer than a person waits.
  fetch: (request) => globalThis.fetch(request, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }),
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Gives the body of an answer. Throws an ApiProblem for a refusal, and when nothing answers. */
async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    throw unreachable();
  }
  if (!answer.response.ok) throw problemFrom(answer.error, answer.response);
  return answer.data as T;
}

const appAt = (id: string, appId: string) => ({ params: { path: { id_or_name: id, app_id: appId } } });
const at = (id: string) => ({ params: { path: { id_or_name: id } } });

export const api = {
  server: () => unwrap<ServerInfo>(http.GET("/api/v1/server")),
  me: () => unwrap<Me>(http.GET("/api/v1/auth/me")),
  login: (body: Credentials) => unwrap(http.POST("/api/v1/auth/login", { body })),
  register: (body: Registration) => unwrap(http.POST("/api/v1/auth/register", { body })),
  logout: () => unwrap(http.POST("/api/v1/auth/logout")),
  logoutEverywhere: () => unwrap(http.POST("/api/v1/auth/logout", { params: { query: { everywhere: true } } })),
  templates: () => unwrap(http.GET("/api/v1/templates")),
  capacity: () => unwrap<Capacity>(http.GET("/api/v1/capacity")),
  clusters: () => unwrap(http.GET("/api/v1/clusters", { params: { query: { limit: 200 } } })),
  endedClusters: () =>
    unwrap(http.GET("/api/v1/clusters", { params: { query: { include_deleted: true, phase: ["deleted"], limit: 100 } } })),
  cluster: (id: string) => unwrap<Cluster>(http.GET("/api/v1/clusters/{id_or_name}", at(id))),
  idle: (id: string) => unwrap<Idle>(http.GET("/api/v1/clusters/{id_or_name}/idle", at(id))),
  createCluster: (body: CreateCluster, idempotencyKey: string) =>
    unwrap<Cluster>(
      http.POST("/api/v1/clusters", {
        body: body as Schemas["CreateCluster"],
        params: { header: { "Idempotency-Key": idempotencyKey } },
      }),
    ),
  /** Null when the cluster was gone already. */
  deleteCluster: async (id: string): Promise<Cluster | null> => {
    try {
      return (await unwrap<Cluster | undefined>(http.DELETE("/api/v1/clusters/{id_or_name}", at(id)))) ?? null;
    } catch (error) {
      if (asProblem(error).status === 404) return null;
      throw error;
    }
  },
  extendCluster: (id: string, seconds: number) =>
    unwrap<Cluster>(http.POST("/api/v1/clusters/{id_or_name}/extend", { ...at(id), body: { seconds } })),
  /** Stops a build: the cluster is failed at once, with the code `cancelled`. */
  cancelCluster: (id: string) => unwrap<Cluster>(http.POST("/api/v1/clusters/{id_or_name}/cancel", at(id))),
  /** Builds a failed cluster anew, under the same id. */
  retryCluster: (id: string) => unwrap<Cluster>(http.POST("/api/v1/clusters/{id_or_name}/retry", at(id))),
  /** Freezes a cluster, a moment later; asking again is no error. */
  pauseCluster: (id: string) => unwrap<Cluster>(http.POST("/api/v1/clusters/{id_or_name}/pause", at(id))),
  resumeCluster: (id: string) => unwrap<Cluster>(http.POST("/api/v1/clusters/{id_or_name}/resume", at(id))),
  terminals: (id: string) => unwrap(http.GET("/api/v1/clusters/{id_or_name}/terminals", at(id))),
  /** Ends a terminal; one that is gone already is no error. */
  closeTerminal: async (id: string, terminal: string): Promise<void> => {
    try {
      await unwrap(http.DELETE("/api/v1/clusters/{id_or_name}/terminals/{terminal_id}", { params: { path: { id_or_name: id, terminal_id: terminal } } }));
    } catch (error) {
      if (asProblem(error).status !== 404) throw error;
    }
  },
  kubeconfig: (id: string, endpoint: Endpoint, expires_in_seconds: number) =>
    unwrap<string>(
      http.GET("/api/v1/clusters/{id_or_name}/kubeconfig", {
        params: { ...at(id).params, query: { endpoint, expires_in_seconds } },
        parseAs: "text",
      }),
    ),
  credentials: (id: string) => 
    unwrap(
      http.GET("/api/v1/clusters/{id_or_name}/credentials", {
        params: { path: { id_or_name: id }, query: WHOLE_LIST },
      }),
    ),
  revokeCredential: (id: string, credential_id: string) =>
    unwrap(
      http.DELETE("/api/v1/clusters/{id_or_name}/credentials/{credential_id}", {
        params: { path: { id_or_name: id, credential_id } },
      }),
    ),
  images: (id: string) => unwrap<Schemas["ImageList"]>(http.GET("/api/v1/clusters/{id_or_name}/images", at(id))),
  usage: (id: string) => unwrap<Usage>(http.GET("/api/v1/clusters/{id_or_name}/usage", at(id))),
  apps: (id: string) => unwrap(http.GET("/api/v1/clusters/{id_or_name}/apps", at(id))),
  publishApp: (id: string, body: Omit<Schemas["PublishApp"], "name">) =>
    unwrap<App>(http.POST("/api/v1/clusters/{id_or_name}/apps", { ...at(id), body: { ...body, name: null } })),
  unpublishApp: (id: string, appId: string) => unwrap(http.DELETE("/api/v1/clusters/{id_or_name}/apps/{app_id}", appAt(id, appId))),
  /** Gives a link that opens an app for whoever has it. */
  linkApp: (id: string, appId: string, seconds: number) =>
    unwrap<Schemas["AppLink"]>(
      http.POST("/api/v1/clusters/{id_or_name}/apps/{app_id}/links", { ...appAt(id, appId), body: { expires_in_seconds: seconds } }),
    ),
  endAppLinks: (id: string, appId: string) =>
    unwrap(http.DELETE("/api/v1/clusters/{id_or_name}/apps/{app_id}/links", appAt(id, appId))),
  tokens: () => unwrap(http.GET("/api/v1/tokens", { params: { query: WHOLE_LIST } })),
  createToken: (body: Schemas["CreateToken"]) => unwrap<CreatedToken>(http.POST("/api/v1/tokens", { body })),
  revokeToken: (id: string) => unwrap(http.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id: id } } })),
  pool: () => unwrap<Schemas["PoolList"]>(http.GET("/api/v1/admin/pool")),
  setPool: (template: string, size: number) => unwrap<Schemas["PoolList"]>(http.PUT("/api/v1/admin/pool", { body: { template, size } })),
};

export interface Credentials {
  username: string;
  password: string;
}

export interface Registration extends Credentials {
  /** For the first account, where the server asks for it. */
  setup_code: string | null;
}

/** Where the browser itself fetches a file. */
export const fileUrl = {
  kubeconfig: (id: string) => `/api/v1/clusters/${id}/kubeconfig`,
  log: (id: string) => `/api/v1/clusters/${id}/log`,
  evidence: (id: string) => `/api/v1/clusters/${id}/evidence`,
};

import type { Cluster, Endpoint, Phase, Step } from "@/lib/api/client";
import { isCancelled } from "./failure";

/** A step as a thing, and as what goes on. */
export const STEPS: Record<Step, { title: string; doing: string }> = {
  node_image: { title: "Node image", doing: "Getting the node image" },
  nodes: { title: "Nodes", doing: "Starting the nodes" },
  load_balancer: { title: "Load balancer", doing: "Starting the load balancer" },
  configuration: { title: "Configuration", doing: "Writing the configuration" },
  control_plane: { title: "Control plane", doing: "Starting the control plane" },
  network: { title: "Network", doing: "Installing the network" },
  storage: { title: "Storage", doing: "Installing storage" },
  more_control_planes: { title: "More control planes", doing: "Joining more control planes" },
  workers: { title: "Workers", doing: "Joining the workers" },
  node_ready: { title: "Node ready", doing: "Waiting for the nodes to be ready" },
  access: { title: "Access", doing: "Checking and locking down access" },
};

const PHASES: Record<Phase, string> = {
  pending: "Waiting for a place",
  provisioning: "Starting",
  ready: "Ready",
  paused: "Paused",
  failed: "Failed",
  deleting: "Deleting",
  deleted: "Deleted",
};

/** The state of a cluster in a few words. */
export function stateOf(cluster: Cluster): string {
  if (cluster.phase === "provisioning" && cluster.progress) return STEPS[cluster.progress.step].doing;
  if (cluster.phase === "failed" && isCancelled(cluster.failure)) return "Cancelled";
  if (cluster.phase === "failed" && cluster.failure) return `Failed: ${lowerFirst(cluster.failure.title)}`;
  if (cluster.phase === "pending" && cluster.queue) return `Waiting, number ${cluster.queue.position} of ${cluster.queue.size}`;
  return PHASES[cluster.phase];
}

export function phaseWord(phase: Phase): string {
  return PHASES[phase];
}

export function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "API server" stays as it is, "No space left" becomes "no space left". */
export function lowerFirst(text: string): string {
  return /^[A-Z](?![A-Z])/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** The steps in the order in which they come, for a cluster of this shape. */
export function expectedSteps(cluster: Cluster, total: number | null): Step[] {
  const steps: Step[] = ["node_image", "nodes", "configuration", "control_plane", "network", "storage"];
  if (cluster.workers > 0) steps.push("workers");
  steps.push("node_ready", "access");
  // A tuned cluster has its network from the beginning.
  if (total === steps.length - 1) steps.splice(steps.indexOf("network"), 1);
  // A server that counts otherwise knows steps that this page cannot foresee.
  return total === null || total === steps.length ? steps : [];
}

export function kubernetesOf(cluster: { kubernetes_version: string }): string {
  return cluster.kubernetes_version.startsWith("v") ? cluster.kubernetes_version : `v${cluster.kubernetes_version}`;
}

export const contextOf = (name: string, endpoint: Endpoint = "proxy") => `pyk8s-${name}${endpoint === "direct" ? ".direct" : ""}`;

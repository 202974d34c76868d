import type { Metadata } from "next";

export const metadata: Metadata = { title: "Cluster · PyK8s Lab" };

export const dynamicParams = false;

/** One document serves every cluster: the server answers /clusters/<anything> with it, the view reads the id from the address. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function ClusterPage() {
  return null;
}

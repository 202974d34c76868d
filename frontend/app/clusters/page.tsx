import type { Metadata } from "next";

export const metadata: Metadata = { title: "Clusters · PyK8s Lab" };

/** The document behind this address; see components/shell/shell.tsx for what it shows. */
export default function ClustersPage() {
  return null;
}

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { navigate } from "@/hooks/use-route";
import { useStream } from "@/hooks/use-stream";
import type { Cluster } from "@/lib/api/client";
import { keys } from "@/lib/api/queries";
import { notify } from "@/lib/browser/notifications";
import { withWarning, type LeaseWarning } from "@/lib/text/lease";
import { left } from "@/lib/text/time";

interface LeaseWarnings {
  warnings: readonly LeaseWarning[];
  dismiss: (clusterId: string) => void;
}

/** What the server said about leases that end, since this page is open. Said outside of the page too when nobody looks at it. */
export function useLeaseWarnings(): LeaseWarnings {
  const stream = useStream();
  const client = useQueryClient();
  const [warnings, setWarnings] = useState<readonly LeaseWarning[]>([]);

  useEffect(
    () =>
      stream?.onLeaseWarning((warning) => {
        setWarnings((before) => withWarning(before, warning));
        const cluster = client.getQueryData<Cluster[]>(keys.clusters)?.find(({ id }) => id === warning.clusterId);
        if (!cluster || document.hasFocus()) return;
        notify({
          title: `${cluster.name} ends in ${left((Date.parse(warning.expiresAt) - Date.now()) / 1000)}`,
          body: "Then the cluster and everything in it are deleted. Open it to extend its time.",
          tag: `pyk8s-lease-${cluster.id}`,
          onOpen: () => navigate(`/clusters/${cluster.id}`),
        });
      }),
    [stream, client],
  );

  return { warnings, dismiss: (clusterId) => setWarnings((before) => before.filter((warning) => warning.clusterId !== clusterId)) };
}

import { Notice } from "@/components/ui/notice";
import type { Cluster } from "@/lib/api/client";
import { doubtOf } from "@/lib/text/health";
import { coarse, secondsBetween } from "@/lib/text/time";

/** That a cluster that is called ready may not be. Calm: it is watched, and nothing was taken away. */
export function DoubtNotice({ cluster, now }: { cluster: Cluster; now: number }) {
  const doubt = doubtOf(cluster);
  if (!doubt) return null;
  const ago = coarse(secondsBetween(doubt.since, now));
  return (
    <div role="status" className="mt-4">
      <Notice tone="warn" title={`${doubt.what}; last known ready`} action={<code className="font-mono text-xs text-muted">{doubt.reason}</code>}>
        {doubt.unknown ? `So for ${ago}. The cluster may well be running; this goes away by itself when it answers again.` : `So for ${ago}. This goes away by itself when it is ready again.`}
      </Notice>
    </div>
  );
}

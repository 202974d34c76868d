"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Button } from "@/components/ui/button";
import { CommandLine } from "@/components/ui/command-line";
import { Notice } from "@/components/ui/notice";
import { useUploads } from "@/hooks/use-uploads";
import type { Cluster } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { announcement } from "@/lib/text/upload";
import { ImageDrop } from "./image-drop";
import { ImageTable } from "./image-table";
import { UploadRow } from "./upload-row";

interface ImagesSectionProps {
  cluster: Cluster;
  history: HistoryView;
}

/** The images in the nodes, and the way to bring more. */
export function ImagesSection({ cluster, history }: ImagesSectionProps) {
  const { uploads, add, again, remove } = useUploads(cluster.id);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <section aria-labelledby="images" className="grid grid-cols-[minmax(0,1fr)] gap-4 border-t border-line pt-6">
      <div>
        <h2 id="images" className="font-semibold">
          Images
        </h2>
        <p className="mt-1 text-sm text-muted">What the nodes have, a pod takes from there. An image of your own needs no registry: it goes straight into every node.</p>
      </div>
      <div className="grid grid-cols-[minmax(0,1fr)] gap-4 lg:grid-cols-2">
        <ImageDrop buttonRef={button} onFiles={add} />
        <div className="grid content-center gap-2">
          <p className="text-sm text-faint">From a shell, straight out of your Docker</p>
          <CommandLine command={`pyk8s images load ${cluster.name} IMAGE`} label="Load an image from a shell" />
          <p className="mt-1 text-sm text-faint">Or write a file for this page</p>
          <CommandLine command="docker save IMAGE -o image.tar" label="Write a file of an image" />
        </div>
      </div>
      <p role="status" className="sr-only">
        {announcement(uploads)}
      </p>
      {uploads.length > 0 ? (
        <ul aria-label="Files" className="grid grid-cols-[minmax(0,1fr)] gap-2">
          {uploads.map((upload) => (
            <li key={upload.id}>
              <UploadRow
                upload={upload}
                onAgain={() => again(upload.id)}
                onRemove={() => {
                  remove(upload.id);
                  // The button that was pressed is gone.
                  button.current?.focus();
                }}
              />
            </li>
          ))}
        </ul>
      ) : null}
      {cluster.phase === "paused" ? (
        <p className="rounded-lg border border-line bg-surface px-4 py-6 text-center text-muted">It is asleep: its images are listed when it is awake. Loading one wakes it.</p>
      ) : (
        <ImageList cluster={cluster} history={history} />
      )}
    </section>
  );
}

/** Kept up to date by the cluster's events. */
function ImageList({ cluster, history }: ImagesSectionProps) {
  const client = useQueryClient();
  const images = useQuery(queries.images(cluster.id));
  // Not while the past is replayed: each would ask the nodes again.
  const loads = history.caughtUp ? history.facts.filter(({ type }) => type === "images_loaded").length : null;
  useEffect(() => {
    if (loads !== null) void client.invalidateQueries({ queryKey: keys.images(cluster.id) });
  }, [client, cluster.id, loads]);

  if (images.isError) {
    return (
      <Notice title="The images could not be listed" action={<Button onClick={() => void images.refetch()}>Try again</Button>}>
        {asProblem(images.error).words}
      </Notice>
    );
  }
  if (!images.data) return <div className="skeleton h-28" role="status" aria-busy="true" aria-label="Listing the images" />;
  return <ImageTable images={images.data} nodes={cluster.control_planes + cluster.workers} />;
}

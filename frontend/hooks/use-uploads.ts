import { useContext, useMemo, useSyncExternalStore } from "react";
import { sendArchive } from "@/lib/api/send-archive";
import type { Upload } from "@/lib/images/upload";
import { UploadQueue } from "@/lib/images/upload-queue";
import { UploadsContext } from "./uploads-provider";

const makeQueue = () => new UploadQueue(sendArchive);
const nothing = () => () => undefined;
const NONE: readonly Upload[] = [];
const readNone = () => NONE;

interface Uploads {
  uploads: readonly Upload[];
  add: (files: readonly File[]) => void;
  again: (id: number) => void;
  remove: (id: number) => void;
}

/** The files of images that were given to a cluster. */
export function useUploads(clusterId: string): Uploads {
  const queue = useContext(UploadsContext)?.open(makeQueue);
  const all = useSyncExternalStore(queue?.subscribe ?? nothing, queue?.read ?? readNone, readNone);
  const uploads = useMemo(() => all.filter((upload) => upload.clusterId === clusterId), [all, clusterId]);
  return {
    uploads,
    add: (files) => queue?.add(clusterId, files),
    again: (id) => queue?.again(id),
    remove: (id) => queue?.remove(id),
  };
}

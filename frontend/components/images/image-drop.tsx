"use client";

import { useRef, type Ref } from "react";
import { Button } from "@/components/ui/button";
import { UploadIcon } from "@/components/ui/icons";
import { useFileDrop } from "@/hooks/use-file-drop";
import { classes } from "@/lib/text/classes";

interface ImageDropProps {
  buttonRef: Ref<HTMLButtonElement>;
  onFiles: (files: readonly File[]) => void;
}

/** Takes files of images: dropped, or chosen with the browser's own dialog, which the keyboard reaches too. */
export function ImageDrop({ buttonRef, onFiles }: ImageDropProps) {
  const input = useRef<HTMLInputElement>(null);
  const { isOver, zone } = useFileDrop(onFiles);
  return (
    <div
      {...zone}
      className={classes(
        "grid content-center justify-items-center gap-3 rounded-lg border border-dashed px-4 py-6 text-center transition-[background,border-color]",
        isOver ? "border-accent bg-accent-soft" : "border-line-strong",
      )}
    >
      <Button ref={buttonRef} onClick={() => input.current?.click()}>
        <UploadIcon />
        Load images from a file
      </Button>
      <p className="text-sm text-faint">
        {isOver ? (
          "Let go to load them."
        ) : (
          <>
            Or drop files here: what <code className="font-mono">docker save</code> writes.
          </>
        )}
      </p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files of images"
        accept=".tar,.tar.gz,.tgz,.gz"
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          // The same file may be chosen again.
          event.target.value = "";
        }}
      />
    </div>
  );
}

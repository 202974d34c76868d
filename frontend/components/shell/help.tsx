"use client";

import { Fragment } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { paletteKey } from "@/lib/browser/palette-key";

const shortcuts = (): [string[], string][] => [
  [["n"], "New cluster"],
  [["/"], "Search clusters, or the log"],
  [["g", "d"], "Go to the clusters"],
  [["g", "t"], "Go to the templates"],
  [["g", "a"], "Go to your account"],
  [[paletteKey()], "Command palette"],
  [["?"], "This help"],
  [["Esc"], "Close what is open"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="grid grid-cols-[80px_1fr] items-center gap-y-2.5 px-6 pt-4 pb-2">
        {shortcuts().map(([keys, what]) => (
          <Fragment key={what}>
            <dt className="flex gap-1">
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
      <div className="flex justify-end px-6 pt-2 pb-5">
        <Button onClick={onClose} data-autofocus>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

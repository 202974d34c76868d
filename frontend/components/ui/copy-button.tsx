"use client";

import { useEffect, useState } from "react";
import { copyText } from "@/lib/browser/clipboard";
import { Button, type ButtonLook } from "./button";
import { CheckIcon, CopyIcon } from "./icons";

const SAID_MS = 1600;

interface CopyButtonProps {
  /** Asked only when it is pressed: a long log is not joined for nothing. */
  text: string | (() => string);
  /** What is copied, for the label: "Copy the log". */
  what: string;
  label?: string;
  look?: ButtonLook;
}

export function CopyButton({ text, what, label, look = "ghost" }: CopyButtonProps) {
  const [result, setResult] = useState<"copied" | "refused" | null>(null);
  useEffect(() => {
    if (result === null) return;
    const timer = setTimeout(() => setResult(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [result]);
  const copy = async () => setResult((await copyText(typeof text === "string" ? text : text())) ? "copied" : "refused");
  const said = result === "copied" ? "Copied" : result === "refused" ? "Not allowed" : (label ?? null);

  return (
    <Button look={look} size="sm" onClick={() => void copy()} aria-label={result ? undefined : `Copy ${what}`} className={label || result ? "" : "w-7 px-0!"}>
      {result === "copied" ? <CheckIcon className="size-3.5 text-good" /> : label ? null : <CopyIcon className="size-3.5" />}
      {label || result ? <span aria-live="polite">{said}</span> : null}
    </Button>
  );
}

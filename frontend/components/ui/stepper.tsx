"use client";

import { useState } from "react";
import { DashIcon, PlusIcon } from "./icons";

interface StepperProps {
  label: string;
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
}

const BUTTON = "grid size-8 place-items-center text-muted transition-[background,color] hover:bg-raised hover:text-text disabled:pointer-events-none disabled:opacity-40";

/** A small whole number: one more, one less, or typed. What is typed counts with Enter, or when the field is left. */
export function Stepper({ label, value, min, max, onChange }: StepperProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const take = () => {
    const wanted = typed === null || typed.trim() === "" ? NaN : Math.round(Number(typed));
    setTyped(null);
    if (Number.isFinite(wanted)) change(Math.min(max, Math.max(min, wanted)));
  };
  const change = (wanted: number) => {
    if (wanted !== value) onChange(wanted);
  };
  return (
    <div role="group" aria-label={label} className="inline-flex shrink-0 items-center overflow-hidden rounded-lg border border-line-strong bg-surface">
      <button type="button" aria-label={`${label}: one less`} disabled={value <= min} onClick={() => change(value - 1)} className={BUTTON}>
        <DashIcon className="size-3.5" />
      </button>
      <input
        type="text"
        inputMode="numeric"
        role="spinbutton"
        aria-label={label}
        aria-valuenow={value}
        aria-valuemin={min}
        aria-valuemax={max}
        value={typed ?? value}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
          else if (event.key === "Escape") setTyped(null);
          else if (event.key === "ArrowUp") change(Math.min(max, value + 1));
          else if (event.key === "ArrowDown") change(Math.max(min, value - 1));
          else return;
          event.preventDefault();
        }}
        className="h-8 w-10 border-x border-line bg-transparent text-center text-base -outline-offset-2 max-sm:text-lg"
      />
      <button type="button" aria-label={`${label}: one more`} disabled={value >= max} onClick={() => change(value + 1)} className={BUTTON}>
        <PlusIcon className="size-3.5" />
      </button>
    </div>
  );
}

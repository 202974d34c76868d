import { useId, type ReactNode } from "react";
import { classes } from "@/lib/text/classes";

interface ChoiceProps<T extends string | number> {
  legend: string;
  value: T;
  options: { value: T; label: string }[];
  onChange: (value: T) => void;
  hint?: ReactNode;
  hideLegend?: boolean;
}

/** A row of chips of which one is chosen: real radio buttons, so that the arrow keys work. */
export function Choice<T extends string | number>({ legend, value, options, onChange, hint, hideLegend }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset>
      <legend className={hideLegend ? "sr-only" : "mb-1.5 text-sm font-medium"}>{legend}</legend>
      <div className="flex flex-wrap gap-1.5">
        {options.map((option) => (
          <label
            key={option.value}
            className={classes(
              "relative flex h-8 cursor-pointer items-center rounded-lg border px-3 text-sm transition-[background,border-color]",
              "has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent",
              option.value === value ? "border-text bg-raised font-medium" : "border-line-strong text-muted hover:bg-raised hover:text-text",
            )}
          >
            <input
              type="radio"
              name={name}
              className="sr-only"
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
      {hint ? <p className="mt-1.5 text-sm text-faint">{hint}</p> : null}
    </fieldset>
  );
}

import { useId, type InputHTMLAttributes, type ReactNode, type Ref } from "react";
import { classes } from "@/lib/text/classes";

export const inputClasses =
  "h-9 w-full rounded-lg border border-line-strong bg-surface px-3 text-base text-text transition-[border-color] hover:border-faint focus-visible:border-accent focus-visible:outline-offset-0 aria-invalid:border-bad max-sm:text-lg";

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: ReactNode;
  error?: string | null | undefined;
  inputRef?: Ref<HTMLInputElement>;
  aside?: ReactNode;
}

/** A labelled input that says what is wrong with it right below. */
export function Field({ label, hint, error, inputRef, aside, className, ...rest }: FieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  const note = error ?? hint;
  return (
    <div className={className}>
      <div className="mb-1.5 flex items-baseline justify-between">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        {aside}
      </div>
      <input
        id={id}
        ref={inputRef}
        aria-invalid={error ? true : undefined}
        aria-describedby={note ? noteId : undefined}
        className={inputClasses}
        {...rest}
      />
      {note ? (
        <p id={noteId} className={classes("mt-1.5 text-sm", error ? "text-bad" : "text-faint")}>
          {note}
        </p>
      ) : null}
    </div>
  );
}

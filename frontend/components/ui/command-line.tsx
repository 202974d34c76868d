import { CopyButton } from "./copy-button";

/** A command, ready to copy. */
export function CommandLine({ command, label }: { command: string; label?: string }) {
  return (
    <div className="flex min-w-0 items-center gap-2 rounded-lg border border-line bg-surface py-1 pr-1 pl-3">
      {/* It scrolls, so the keyboard must reach it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above */}
      <code className="no-scrollbar min-w-0 grow overflow-x-auto whitespace-pre font-mono text-sm leading-7" tabIndex={0} role="group" aria-label={label ?? "Command"}>
        <span aria-hidden="true" className="select-none text-faint">
          ${" "}
        </span>
        {command}
      </code>
      <CopyButton text={command} what="the command" />
    </div>
  );
}

/** The short form, inside a sentence. */
export function InlineCommand({ command }: { command: string }) {
  return (
    <span className="inline-flex items-center gap-1 align-middle">
      <code className="rounded-md border border-line bg-raised px-2 py-0.5 font-mono text-sm text-muted">{command}</code>
      <CopyButton text={command} what="the command" />
    </span>
  );
}

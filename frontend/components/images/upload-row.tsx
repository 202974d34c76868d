import { Button } from "@/components/ui/button";
import { CheckIcon, ClockIcon, SpinnerIcon } from "@/components/ui/icons";
import { Notice } from "@/components/ui/notice";
import { Progress } from "@/components/ui/progress";
import { percentOf, type Upload } from "@/lib/images/upload";
import { hasLatest, namesWords, progressWords } from "@/lib/text/upload";

interface UploadRowProps {
  upload: Upload;
  onAgain: () => void;
  onRemove: () => void;
}

/** A file on its way into the cluster, or what became of it until that is read. */
export function UploadRow({ upload, onAgain, onRemove }: UploadRowProps) {
  const { state, fileName } = upload;
  switch (state.status) {
    case "failed":
      return (
        <Notice
          title={`${fileName}: ${state.problem.title}`}
          action={
            <div className="flex gap-2">
              <Button size="sm" onClick={onAgain} aria-label={`Try ${fileName} again`}>
                Try again
              </Button>
              <Button size="sm" look="ghost" onClick={onRemove} aria-label={`Close what is said of ${fileName}`}>
                Close
              </Button>
            </div>
          }
        >
          {state.problem.words}
        </Notice>
      );
    case "loaded":
      return <Loaded fileName={fileName} names={state.names} onRemove={onRemove} />;
    case "waiting":
    case "sending":
    case "unpacking":
      return <UnderWay upload={upload} onRemove={onRemove} />;
  }
}

function UnderWay({ upload, onRemove }: { upload: Upload; onRemove: () => void }) {
  const { status } = upload.state;
  const words = progressWords(upload);
  return (
    <div data-upload={status} className="grid gap-2 rounded-lg border border-line bg-surface py-2.5 pr-2.5 pl-4">
      <div className="flex items-start gap-3">
        {status === "waiting" ? <ClockIcon className="mt-1.5 text-faint" /> : <SpinnerIcon className="mt-1.5 text-accent" />}
        <div className="flex min-w-0 grow flex-wrap gap-x-4 pt-1">
          <span className="min-w-0 grow font-medium">{upload.fileName}</span>
          <span className="text-muted">{words}</span>
        </div>
        <Button size="sm" look="ghost" onClick={onRemove}>
          {/* What is sent already is not called back. */}
          {status === "unpacking" ? "Stop waiting" : "Cancel"}
          <span className="sr-only"> for {upload.fileName}</span>
        </Button>
      </div>
      {status === "waiting" ? null : (
        <div className="pr-1.5 pb-1">
          <Progress label={`Loading ${upload.fileName}`} percent={percentOf(upload)} words={words} isBusy={status === "unpacking"} />
        </div>
      )}
    </div>
  );
}

function Loaded({ fileName, names, onRemove }: { fileName: string; names: readonly string[]; onRemove: () => void }) {
  return (
    <div data-upload="loaded" className="flex items-start gap-3 rounded-lg border border-line bg-surface py-2.5 pr-2.5 pl-4">
      <CheckIcon className="mt-1.5 text-good" />
      <div className="min-w-0 grow pt-1">
        <p>
          <span className="font-medium">Loaded</span> <span className="text-muted">from {fileName}</span>
        </p>
        {names.length === 0 ? <p className="text-sm text-muted">{namesWords(names)}</p> : null}
        <ul>
          {names.map((name) => (
            <li key={name} className="font-mono text-sm">
              {name}
            </li>
          ))}
        </ul>
        {hasLatest(names) ? (
          <p className="mt-1 text-sm text-faint">
            With the tag latest a pod asks the registry all the same, unless it has <code className="font-mono">imagePullPolicy: IfNotPresent</code>.
          </p>
        ) : null}
      </div>
      <Button size="sm" look="ghost" onClick={onRemove} aria-label={`Close what is said of ${fileName}`}>
        Close
      </Button>
    </div>
  );
}

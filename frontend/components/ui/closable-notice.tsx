import { Button } from "./button";
import { Notice } from "./notice";

/** What went wrong with a click, until it is read. */
export function ClosableNotice({ title, words, onClose }: { title: string; words: string; onClose: () => void }) {
  return (
    <Notice
      title={title}
      action={
        <Button size="sm" onClick={onClose}>
          Close
        </Button>
      }
    >
      {words}
    </Notice>
  );
}

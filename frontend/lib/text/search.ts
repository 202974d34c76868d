import { stripAnsi } from "./ansi";

/** Which of a growing list of lines hold a text. Looks at each line once. */
export class LineSearch {
  readonly matches: number[] = [];
  private readonly wanted: string;
  private seen = 0;

  constructor(query: string) {
    this.wanted = query.toLowerCase();
  }

  /** Looks at the lines up to `count` that it has not seen; gives the indexes of those that match. */
  update(lines: readonly { text: string }[], count: number): readonly number[] {
    if (this.wanted === "") return this.matches;
    for (; this.seen < count; this.seen += 1) {
      const line = lines[this.seen];
      if (line && stripAnsi(line.text).toLowerCase().includes(this.wanted)) this.matches.push(this.seen);
    }
    return this.matches;
  }
}

/** The parts of a text, told apart by whether they match. */
export function splitMatches(text: string, query: string): { text: string; match: boolean }[] {
  const wanted = query.toLowerCase();
  const lower = text.toLowerCase();
  // Lower case can change the length of a text; then marking the right place is not possible.
  if (wanted === "" || lower.length !== text.length) return [{ text, match: false }];
  const parts: { text: string; match: boolean }[] = [];
  let from = 0;
  for (let found = lower.indexOf(wanted); found !== -1; found = lower.indexOf(wanted, from)) {
    if (found > from) parts.push({ text: text.slice(from, found), match: false });
    parts.push({ text: text.slice(found, found + wanted.length), match: true });
    from = found + wanted.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), match: false });
  return parts;
}

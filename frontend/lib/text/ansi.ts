/** A stretch of text with one look. The text is only ever put into the page as text. */
export interface Span {
  text: string;
  color: number | null;
  background: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

type Look = Omit<Span, "text">;

const PLAIN: Look = { color: null, background: null, bold: false, dim: false, italic: false, underline: false };

// Whatever starts with an escape and is not colour goes away whole, an unfinished one too.
// eslint-disable-next-line no-control-regex -- control characters are the subject here
const CONTROL = /\u001b\[(?<sgr>[\d;:]*)m|\u001b\[[\d;:?<=>!]*[ -/]*[@-~]?|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Splits a line into spans. The sixteen colours become numbers 0 to 15; finer ones are left out, for they may be unreadable on this page. */
export function parseAnsi(line: string): Span[] {
  const spans: Span[] = [];
  let look = PLAIN;
  let from = 0;
  for (const match of line.matchAll(CONTROL)) {
    push(spans, line.slice(from, match.index), look);
    from = match.index + match[0].length;
    const sgr = match.groups?.sgr;
    if (sgr !== undefined) look = restyle(look, sgr);
  }
  push(spans, line.slice(from), look);
  return spans;
}

/** The visible text of a line. */
export function stripAnsi(line: string): string {
  return line.replace(CONTROL, "");
}

function push(spans: Span[], text: string, look: Look): void {
  if (text !== "") spans.push({ ...look, text });
}

function restyle(look: Look, sgr: string): Look {
  const codes = sgr.split(/[;:]/).map(Number);
  let next = look;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const indexed = codes[index + 1] === 5;
      const color = indexed ? codes[index + 2] : undefined;
      if (color !== undefined && color < 16) next = code === 38 ? { ...next, color } : { ...next, background: color };
      index += indexed ? 2 : 4;
    } else {
      next = applyCode(next, code);
    }
  }
  return next;
}

function applyCode(look: Look, code: number): Look {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...look, bold: true };
  if (code === 2) return { ...look, dim: true };
  if (code === 3) return { ...look, italic: true };
  if (code === 4) return { ...look, underline: true };
  if (code === 22) return { ...look, bold: false, dim: false };
  if (code === 23) return { ...look, italic: false };
  if (code === 24) return { ...look, underline: false };
  if (code >= 30 && code <= 37) return { ...look, color: code - 30 };
  if (code === 39) return { ...look, color: null };
  if (code >= 40 && code <= 47) return { ...look, background: code - 40 };
  if (code === 49) return { ...look, background: null };
  if (code >= 90 && code <= 97) return { ...look, color: code - 82 };
  if (code >= 100 && code <= 107) return { ...look, background: code - 92 };
  return look;
}

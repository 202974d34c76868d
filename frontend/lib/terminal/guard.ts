/** What the guard needs of xterm.js. A handler that gives true keeps a sequence from what would answer it. */
export interface GuardedParser {
  registerCsiHandler(id: { prefix?: string; intermediates?: string; final: string }, callback: () => boolean): { dispose(): void };
  registerDcsHandler(id: { prefix?: string; intermediates?: string; final: string }, callback: () => boolean): { dispose(): void };
  registerOscHandler(ident: number, callback: () => boolean): { dispose(): void };
}

/**
 * What is printed must never type: an answer goes where keys go, so a file that somebody shows could run a command.
 * And it must not reach out of the terminal: clipboard, colours of the page, windows.
 */
const CSI = [
  { final: "c" }, // DA1: what are you?
  { prefix: ">", final: "c" }, // DA2
  { prefix: "=", final: "c" }, // DA3
  { final: "n" }, // DSR: status, where is the cursor?
  { prefix: "?", final: "n" },
  { final: "t" }, // windows: sizes, titles
  { prefix: ">", final: "t" },
  { prefix: ">", final: "q" }, // XTVERSION
  { intermediates: "$", final: "p" }, // DECRQM: is a mode set?
  { prefix: "?", intermediates: "$", final: "p" },
  { final: "x" }, // DECREQTPARM
  { prefix: "?", final: "u" }, // kitty's keyboard
  { prefix: "?", final: "S" }, // XTSMGRAPHICS
  { intermediates: "$", final: "w" }, // DECRQPSR
  { intermediates: "*", final: "y" }, // DECRQCRA: what stands on the screen?
];

const DCS = [
  { intermediates: "$", final: "q" }, // DECRQSS
  { intermediates: "+", final: "q" }, // XTGETTCAP
  { intermediates: "+", final: "p" }, // XTSETTCAP
];

/** Palette (4, 5), colours of the page (10 to 19), the clipboard (52), their resets, and what belongs to other terminals. */
const OSC = [4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 50, 52, 104, 105, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119];

export function guard(parser: GuardedParser): void {
  const swallow = () => true;
  for (const id of CSI) parser.registerCsiHandler(id, swallow);
  for (const id of DCS) parser.registerDcsHandler(id, swallow);
  for (const ident of OSC) parser.registerOscHandler(ident, swallow);
}

/** A pasted text without what a program could take for keys or for the end of the paste. */
export function cleanPaste(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f]/g, "");
}

import { Terminal } from "@xterm/headless";
import { describe, expect, it } from "vitest";
import { cleanPaste, guard } from "@/lib/terminal/guard";

/** Everything that a terminal answers when a text is shown in it. */
async function answersTo(text: string, guarded: boolean): Promise<string> {
  const terminal = new Terminal({ allowProposedApi: true, rows: 24, cols: 80 });
  if (guarded) guard(terminal.parser);
  let answer = "";
  terminal.onData((data) => (answer += data));
  terminal.onBinary((data) => (answer += data));
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  terminal.dispose();
  return answer;
}

const ESC = "\u001b";
const ANSWERED = {
  DA1: `${ESC}[c`,
  "DA1 with 0": `${ESC}[0c`,
  DA2: `${ESC}[>c`,
  "DSR, status": `${ESC}[5n`,
  "DSR, cursor": `${ESC}[6n`,
  "DECXCPR": `${ESC}[?6n`,
  DECRQM: `${ESC}[4$p`,
  "DECRQM of DEC's": `${ESC}[?2004$p`,
  "DECRQSS, SGR": `${ESC}P$qm${ESC}\\`,
  "DECRQSS, margins": `${ESC}P$qr${ESC}\\`,
  "DECRQSS, cursor": `${ESC}P$q q${ESC}\\`,
};

describe("the guard of a terminal", () => {
  it.each(Object.entries(ANSWERED))("keeps %s from being answered", async (_, sequence) => {
    expect(await answersTo(sequence, false)).not.toBe("");
    expect(await answersTo(sequence, true)).toBe("");
  });

  it.each([
    `${ESC}]52;c;?\u0007`,
    `${ESC}]52;c;aGVsbG8=${ESC}\\`,
    `${ESC}]4;1;?${ESC}\\`,
    `${ESC}]4;1;#ff0000${ESC}\\`,
    `${ESC}]10;?\u0007`,
    `${ESC}]11;?\u0007`,
    `${ESC}]12;?\u0007`,
    `${ESC}[14t`,
    `${ESC}[18t`,
    `${ESC}[20t`,
    `${ESC}[21t`,
    `${ESC}]0;evil\u0007${ESC}[21t`,
    `${ESC}[>q`,
    `${ESC}[?u`,
    `${ESC}P+q544e${ESC}\\`,
    `${ESC}[=c`,
    `${ESC}[x`,
    "\u0005",
  ])("keeps %j silent", async (sequence) => {
    expect(await answersTo(sequence, true)).toBe("");
  });

  it("answers no sequence at all, of all there can be", async () => {
    const finals = Array.from({ length: 0x7f - 0x40 }, (_, index) => String.fromCharCode(0x40 + index));
    let text = "";
    for (const prefix of ["", "?", ">", "=", "<"])
      for (const intermediates of ["", "$", "!", '"', "'", " ", "*", "+", "#"])
        for (const parameters of ["", "0", "1", "5", "6", "14", "15", "18", "19", "20", "21", "1;2", "2004", "1049"])
          for (const final of finals) text += `${ESC}[${prefix}${parameters}${intermediates}${final}`;
    for (let ident = 0; ident <= 130; ident += 1) text += `${ESC}]${ident};?\u0007${ESC}]${ident};1;?${ESC}\\`;
    for (const final of finals) for (const intermediates of ["$", "+", "", "="]) text += `${ESC}P${intermediates}${final}m${ESC}\\`;
    for (const final of finals) text += `${ESC}${final}${ESC}\\`;
    expect(await answersTo(text, true)).toBe("");
    expect(await answersTo(text, false)).not.toBe("");
  });

  it("still shows colours, moves the cursor and takes modes", async () => {
    const terminal = new Terminal({ allowProposedApi: true, rows: 5, cols: 20 });
    guard(terminal.parser);
    await new Promise<void>((resolve) => terminal.write(`${ESC}[2J${ESC}[3;5H${ESC}[31mred${ESC}[?2004h`, resolve));
    const line = terminal.buffer.active.getLine(2);
    expect(line?.translateToString(true)).toBe("    red");
    expect(line?.getCell(4)?.getFgColor()).toBe(1);
    expect(terminal.modes.bracketedPasteMode).toBe(true);
  });
});

describe("a pasted text", () => {
  it("cannot end its own brackets or press keys", () => {
    expect(cleanPaste(`ls${ESC}[201~\r\nrm -rf /\u0003\u0000\t\u009b1m é 漢`)).toBe("ls[201~\r\nrm -rf /\t1m é 漢");
  });
});

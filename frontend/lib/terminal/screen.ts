import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import { copyText } from "@/lib/browser/clipboard";
import { cleanPaste, guard } from "./guard";
import { readFont, readTheme } from "./theme";

const SCROLLBACK_LINES = 10_000;
const FONT_SIZE = 13;

export interface ScreenOptions {
  host: HTMLElement;
  onType: (bytes: Uint8Array<ArrayBuffer>) => void;
  onSize: () => void;
  onFind: () => void;
  /** Somebody wants out of the terminal, in which Tab goes to the shell. */
  onLeave: () => void;
  /** The next key is pressed together with Ctrl: a finger cannot. Asked once for each key. */
  takeCtrl: () => boolean;
  readsAloud: boolean;
}

/** What one terminal shows: xterm.js with the page's look, its keys, and the guard. */
export class Screen {
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  private readonly fit = new FitAddon();
  private readonly watcher: ResizeObserver;

  constructor(private readonly options: ScreenOptions) {
    const { host } = options;
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: readFont(),
      fontSize: FONT_SIZE,
      lineHeight: 1.25,
      linkHandler: { activate: (_, address) => openLink(address) },
      minimumContrastRatio: 4.5,
      screenReaderMode: options.readsAloud,
      scrollback: SCROLLBACK_LINES,
      theme: readTheme(host),
    });
    const { terminal } = this;
    terminal.loadAddon(this.fit);
    terminal.loadAddon(this.search);
    terminal.loadAddon(new Unicode11Addon());
    terminal.loadAddon(new WebLinksAddon((_, address) => openLink(address)));
    terminal.unicode.activeVersion = "11";
    guard(terminal.parser);
    terminal.attachCustomKeyEventHandler((event) => this.key(event));
    terminal.onData((text) => options.onType(new TextEncoder().encode(this.withCtrl(text))));
    terminal.onBinary((text) => options.onType(Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff)));
    terminal.onResize(options.onSize);
    terminal.open(host);
    host.addEventListener("paste", this.paste, { capture: true });
    this.watcher = new ResizeObserver(() => this.refit());
    this.watcher.observe(host);
    this.refit();
    // The font may come later than the terminal, and is not as wide as the one that stood in for it.
    void document.fonts.load(`${FONT_SIZE}px ${readFont()}`).then(() => {
      terminal.options.fontFamily = `${readFont()} `;
      terminal.options.fontFamily = readFont();
      this.refit();
    });
  }

  get size(): { rows: number; cols: number } {
    return { rows: this.terminal.rows, cols: this.terminal.cols };
  }

  refit(): void {
    if (this.options.host.offsetParent !== null) this.fit.fit();
  }

  repaint(): void {
    this.terminal.options.theme = readTheme(this.options.host);
  }

  readAloud(on: boolean): void {
    this.terminal.options.screenReaderMode = on;
  }

  async copySelection(): Promise<boolean> {
    const selected = this.terminal.getSelection();
    const done = selected !== "" && (await copyText(selected));
    this.terminal.focus();
    return done;
  }

  dispose(): void {
    this.watcher.disconnect();
    this.options.host.removeEventListener("paste", this.paste, { capture: true });
    this.terminal.dispose();
  }

  private readonly paste = (event: ClipboardEvent): void => {
    event.preventDefault();
    event.stopPropagation();
    this.terminal.paste(cleanPaste(event.clipboardData?.getData("text/plain") ?? ""));
  };

  /** False keeps a key from the shell. */
  private key(event: KeyboardEvent): boolean {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    const action = { KeyC: () => void this.copySelection(), KeyF: this.options.onFind, KeyL: this.options.onLeave, KeyV: null }[event.code];
    if (action === undefined) return true;
    // Ctrl+Shift+V is the browser's own: it pastes.
    if (event.type === "keydown" && action !== null) {
      event.preventDefault();
      event.stopPropagation();
      action();
    }
    return false;
  }

  private withCtrl(text: string): string {
    if (text.length !== 1 || !this.options.takeCtrl()) return text;
    const code = text.toUpperCase().charCodeAt(0);
    return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text;
  }
}

/** Opens what a program printed as a link, in a tab that knows nothing of this one. Only the web: an address may be anything. */
function openLink(address: string): void {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return;
  // The words of a link may say another address than it has.
  if (!window.confirm(`Open this address?\n\n${url.href}`)) return;
  window.open(url.href, "_blank", "noopener,noreferrer");
}

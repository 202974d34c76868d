import type { ITheme } from "@xterm/xterm";

const ANSI = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

/** The page's colours for xterm.js, which takes no CSS variables: each is looked up on a probe. */
export function readTheme(host: HTMLElement): ITheme {
  const probe = document.createElement("span");
  probe.hidden = true;
  host.append(probe);
  const colour = (value: string): string => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const theme: ITheme = {
    background: colour("var(--surface)"),
    foreground: colour("var(--text)"),
    cursor: colour("var(--text)"),
    cursorAccent: colour("var(--surface)"),
    selectionBackground: colour("light-dark(#c9d8fb, #2b3f78)"),
    selectionInactiveBackground: colour("var(--line-strong)"),
    scrollbarSliderBackground: colour("light-dark(rgb(23 24 26 / 0.18), rgb(237 238 240 / 0.18))"),
    scrollbarSliderHoverBackground: colour("light-dark(rgb(23 24 26 / 0.3), rgb(237 238 240 / 0.3))"),
    scrollbarSliderActiveBackground: colour("light-dark(rgb(23 24 26 / 0.4), rgb(237 238 240 / 0.4))"),
  };
  ANSI.forEach((name, index) => {
    theme[name] = colour(`var(--ansi-${index})`);
    theme[`bright${name.charAt(0).toUpperCase()}${name.slice(1)}` as "brightRed"] = colour(`var(--ansi-${index})`);
  });
  theme.brightBlack = colour("var(--faint)");
  theme.brightWhite = colour("var(--text)");
  probe.remove();
  return theme;
}

/** The page's font for code, as the name that the browser knows. */
export function readFont(): string {
  return getComputedStyle(document.documentElement).getPropertyValue("--font-geist-mono").trim() + ", ui-monospace, monospace";
}

/** What opens the palette, as this machine's keyboard calls it. Both work everywhere. */
export function paletteKey(userAgent: string = navigator.userAgent): string {
  return /Macintosh|iPhone|iPad/.test(userAgent) ? "⌘K" : "Ctrl K";
}

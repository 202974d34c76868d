const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** "512 B", "4.2 MiB", "310 MiB": a number of bytes, as the command line writes it too. */
export function binarySize(bytes: number): string {
  let shown = bytes;
  let unit = "B";
  for (const larger of UNITS) {
    // Rounded first: 999.9 KiB is a mebibyte, not "1000 KiB".
    if (Math.round(shown) < 1000) break;
    shown /= 1024;
    unit = larger;
  }
  return `${unit !== "B" && shown < 9.95 ? shown.toFixed(1) : Math.round(shown)} ${unit}`;
}

/** Reads a frame. Null for what is no frame, or what a newer server may say and this page does not know. */
export function readKnown(text: string, known: ReadonlySet<string>): object | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return null;
  return typeof value.type === "string" && known.has(value.type) ? value : null;
}

/** Gives the reader a text as a file, as a download link would. */
export function saveFile(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then; it holds a secret, so it shall not stay.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

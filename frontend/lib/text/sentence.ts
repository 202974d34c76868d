/** A text as a sentence: a capital letter first, a full stop last. A command or a path at its beginning stays as it is. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const begun = /^[a-z]+[\s,:;.]|^[a-z]+$/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…:]$/.test(begun) ? begun : `${begun}.`;
}

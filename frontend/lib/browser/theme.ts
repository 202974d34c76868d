export type Theme = "system" | "light" | "dark";

const STORAGE_KEY = "pyk8s-theme";
const CHANGED = "pyk8s-theme-changed";

/** The choice that public/theme.js read before the first paint. */
export function readTheme(): Theme {
  const choice = document.documentElement.dataset.theme;
  return choice === "light" || choice === "dark" ? choice : "system";
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
  }
  window.dispatchEvent(new Event(CHANGED));
}

export function onTheme(listener: () => void): () => void {
  window.addEventListener(CHANGED, listener);
  return () => window.removeEventListener(CHANGED, listener);
}

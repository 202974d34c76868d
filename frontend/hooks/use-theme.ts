import { useSyncExternalStore } from "react";
import { applyTheme, onTheme, readTheme, type Theme } from "@/lib/browser/theme";

const readOnServer = (): Theme => "system";

export function useTheme(): [Theme, (theme: Theme) => void] {
  return [useSyncExternalStore(onTheme, readTheme, readOnServer), applyTheme];
}

import { useEffect } from "react";

/** What the tab of the browser says while the caller is mounted. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · PyK8s Lab`;
  }, [title]);
}

import { usePathname } from "next/navigation";

export type Route =
  | { view: "dashboard" | "templates" | "account" | "login" | "unknown" }
  | { view: "cluster"; id: string };

/** What an address shows. */
export function routeOf(pathname: string): Route {
  const [first, second, ...rest] = pathname.split("/").filter((part) => part !== "");
  if (rest.length > 0) return { view: "unknown" };
  if (first === "clusters" && second !== undefined) return { view: "cluster", id: safeDecode(second) };
  if (second !== undefined) return { view: "unknown" };
  if (first === undefined || first === "clusters") return { view: "dashboard" };
  if (first === "templates" || first === "account" || first === "login") return { view: first };
  return { view: "unknown" };
}

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function useRoute(): Route {
  return routeOf(usePathname());
}

/** Goes to another address without asking the server for anything: all views are here already. */
export function navigate(path: string): void {
  if (path === window.location.pathname + window.location.search) return;
  window.history.pushState(null, "", path);
  window.scrollTo(0, 0);
}

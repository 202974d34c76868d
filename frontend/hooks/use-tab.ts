import { useSearchParams } from "next/navigation";

/** The chosen tab, kept in the address so that it survives a reload and can be linked to: `?tab=NAME`. The first one needs no word. */
export function useTab<T extends string>(tabs: readonly { value: T }[], first: T): [T, (tab: T) => void] {
  const asked = useSearchParams().get("tab");
  const tab = tabs.find(({ value }) => value === asked)?.value ?? first;
  const choose = (chosen: T) => {
    const { pathname } = window.location;
    window.history.replaceState(null, "", chosen === first ? pathname : `${pathname}?tab=${chosen}`);
  };
  return [tab, choose];
}

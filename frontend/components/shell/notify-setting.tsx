"use client";

import { Button } from "@/components/ui/button";
import { useNotifications } from "@/hooks/use-notifications";
import type { NotifyPermission } from "@/lib/browser/notifications";

const WORDS: Record<Exclude<NotifyPermission, "default">, string> = {
  granted: "On. Turn it off in the browser's settings for this site.",
  denied: "This browser blocks it. Allow notifications in its settings for this site.",
  unsupported: "This browser cannot do it at this address: it takes https, or localhost.",
};

/** Whether the end of a lease is also said outside of the page. The browser is only asked after a click. */
export function NotifySetting() {
  const [permission, ask] = useNotifications();
  if (permission !== "default") return <p className="text-muted">{WORDS[permission]}</p>;
  return <Button onClick={() => void ask()}>Allow notifications</Button>;
}

export const NOTIFY_NOTE = "Before the time of a cluster is over, also while you look at something else: 10 and 2 minutes before.";

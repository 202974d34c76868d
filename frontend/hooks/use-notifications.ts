import { useSyncExternalStore } from "react";
import { askPermission, onPermission, readPermission, type NotifyPermission } from "@/lib/browser/notifications";

const readOnServer = (): NotifyPermission => "unsupported";

export function useNotifications(): [NotifyPermission, () => Promise<void>] {
  return [useSyncExternalStore(onPermission, readPermission, readOnServer), askPermission];
}

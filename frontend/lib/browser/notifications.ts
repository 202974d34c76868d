export type NotifyPermission = NotificationPermission | "unsupported";

const CHANGED = "pyk8s-notifications-changed";

/** Whether this browser shows what a page says outside of it. Without a secure context it never does. */
export function readPermission(): NotifyPermission {
  return typeof Notification === "undefined" || !window.isSecureContext ? "unsupported" : Notification.permission;
}

/** Asks the person. Only ever called from a click. */
export async function askPermission(): Promise<void> {
  if (readPermission() !== "default") return;
  await Notification.requestPermission();
  window.dispatchEvent(new Event(CHANGED));
}

export function onPermission(listener: () => void): () => void {
  window.addEventListener(CHANGED, listener);
  // It may also be changed in the browser's own settings.
  window.addEventListener("focus", listener);
  return () => {
    window.removeEventListener(CHANGED, listener);
    window.removeEventListener("focus", listener);
  };
}

interface Message {
  title: string;
  body: string;
  /** A message with the same tag is replaced, by this tab and by others. */
  tag: string;
  onOpen: () => void;
}

/** Says something outside of the page, when that was allowed. */
export function notify({ title, body, tag, onOpen }: Message): void {
  if (readPermission() !== "granted") return;
  try {
    const shown = new Notification(title, { body, tag });
    shown.onclick = () => {
      window.focus();
      onOpen();
      shown.close();
    };
  } catch {
    // Some browsers, on phones, allow it and still cannot: the toast is there.
  }
}

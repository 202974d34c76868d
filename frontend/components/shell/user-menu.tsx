"use client";

import { useRef, type ReactNode } from "react";
import { useSignOut } from "@/hooks/use-sign-out";
import { useTheme } from "@/hooks/use-theme";
import { api, type User } from "@/lib/api/client";
import type { Theme } from "@/lib/browser/theme";
import { Choice } from "@/components/ui/choice";
import { LabLink } from "./lab-link";

export const THEMES: { value: Theme; label: string }[] = [
  { value: "system", label: "System" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

const item = "block w-full rounded-md px-2.5 py-1.5 text-left hover:bg-raised focus-visible:-outline-offset-2";

export function UserMenu({ user, onHelp }: { user: User; onHelp: () => void }) {
  const popover = useRef<HTMLDivElement>(null);
  const leave = useSignOut();
  const [theme, setTheme] = useTheme();
  const close = () => popover.current?.hidePopover();
  const signOut = async () => {
    close();
    await api.logout().catch(() => undefined);
    await leave();
  };

  return (
    <>
      <button
        type="button"
        popoverTarget="user-menu"
        aria-label={`Menu of ${user.username}`}
        className="flex size-7 items-center justify-center rounded-full border border-line-strong bg-raised text-[11px] font-semibold uppercase"
      >
        {user.username.slice(0, 2)}
      </button>
      <div
        ref={popover}
        id="user-menu"
        popover="auto"
        className="appear fixed inset-auto top-11 right-4 m-0 w-60 rounded-lg border border-line-strong bg-surface p-1.5 text-text sm:right-6"
      >
        <p className="px-2.5 pt-1 pb-2 text-sm text-muted">
          Signed in as <span className="font-medium text-text">{user.username}</span>
          {user.is_admin ? ", admin" : ""}
        </p>
        <MenuLink href="/" onClick={close}>
          Clusters
        </MenuLink>
        <MenuLink href="/templates" onClick={close}>
          Templates
        </MenuLink>
        <MenuLink href="/account" onClick={close}>
          Account
        </MenuLink>
        <button
          type="button"
          className={item}
          onClick={() => {
            close();
            onHelp();
          }}
        >
          Keyboard shortcuts
        </button>
        <a className={item} href="/docs">
          API reference
        </a>
        <div className="my-1.5 border-y border-line px-2.5 py-2.5">
          <Choice legend="Appearance" hideLegend value={theme} options={THEMES} onChange={setTheme} />
        </div>
        <button type="button" className={item} onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </>
  );
}

function MenuLink({ href, onClick, children }: { href: string; onClick: () => void; children: ReactNode }) {
  return (
    <LabLink href={href} onClick={onClick} className={item}>
      {children}
    </LabLink>
  );
}

"use client";

import { LogoIcon } from "@/components/ui/icons";
import { Kbd } from "@/components/ui/kbd";
import type { User } from "@/lib/api/client";
import { paletteKey } from "@/lib/browser/palette-key";
import { classes } from "@/lib/text/classes";
import { CapacityLine } from "./capacity-line";
import { LabLink } from "./lab-link";
import { UserMenu } from "./user-menu";

const PLACES = [
  { href: "/", label: "Clusters", views: ["dashboard", "cluster"] },
  { href: "/templates", label: "Templates", views: ["templates"] },
  { href: "/account", label: "Account", views: ["account"] },
];

interface HeaderProps {
  user: User;
  view: string;
  onPalette: () => void;
  onHelp: () => void;
}

export function Header({ user, view, onPalette, onHelp }: HeaderProps) {
  return (
    <header className="border-b border-line bg-surface">
      <div className="flex h-13 items-center gap-3 px-4 sm:gap-4 sm:px-6">
        <LabLink href="/" className="flex items-center gap-2 rounded-md font-semibold tracking-tight" aria-label="PyK8s Lab, all clusters">
          <LogoIcon className="size-5" />
          <span className="max-[360px]:sr-only">PyK8s Lab</span>
        </LabLink>
        <nav aria-label="Places" className="ml-1 flex gap-0.5 max-sm:hidden">
          {PLACES.map((place) => {
            const current = place.views.includes(view);
            return (
              <LabLink
                key={place.href}
                href={place.href}
                aria-current={current ? "page" : undefined}
                className={classes("rounded-lg px-2.5 py-1.5 transition-[background,color]", current ? "bg-raised text-text" : "text-muted hover:text-text")}
              >
                {place.label}
              </LabLink>
            );
          })}
        </nav>
        <div className="ml-auto flex items-center gap-4">
          <CapacityLine />
          <button type="button" onClick={onPalette} aria-label="Command palette" className="rounded-sm max-md:hidden">
            <Kbd className="hover:text-text">{paletteKey()}</Kbd>
          </button>
          <UserMenu user={user} onHelp={onHelp} />
        </div>
      </div>
    </header>
  );
}

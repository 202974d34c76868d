"use client";

import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { Dashboard } from "@/components/clusters/dashboard";
import { navigate, useRoute, type Route } from "@/hooks/use-route";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { ConnectionBanner } from "./connection-banner";
import { Header } from "./header";
import { AccountView, ClusterView, CreateSheet, fetchTheRest, Help, LeaseToasts, Palette, SignIn, TemplatesView } from "./lazy";
import { NothingHere } from "./nothing-here";
import { SimulatedBar } from "./simulated-bar";
import { Starting } from "./starting";

type Overlay = "create" | "palette" | "help";

/** The frame of every view, and the choice of the view: all of them live in one document, so no click ever waits for a page. */
export function Shell() {
  const route = useRoute();
  const me = useQuery(queries.me());
  // Asked for at once, though it is only needed further down.
  useQuery(queries.server());
  const [overlay, setOverlay] = useState<Overlay | null>(null);
  const close = useCallback(() => setOverlay(null), []);
  const create = useCallback(() => setOverlay("create"), []);
  const signedIn = me.data !== undefined && !(me.error && asProblem(me.error).status === 401);

  useEffect(() => {
    if (!signedIn) return;
    const timer = setTimeout(fetchTheRest, 400);
    return () => clearTimeout(timer);
  }, [signedIn]);

  useEffect(() => {
    if (signedIn && route.view === "login") navigate("/");
  }, [signedIn, route.view]);

  useShortcuts(
    signedIn
      ? {
          n: create,
          "?": () => setOverlay("help"),
          "mod+k": () => setOverlay((now) => (now === "palette" ? null : "palette")),
          "g d": () => navigate("/"),
          "g t": () => navigate("/templates"),
          "g a": () => navigate("/account"),
        }
      : {},
  );

  if (!signedIn) {
    if (me.isPending) return <Starting />;
    return <SignIn problem={asProblem(me.error)} retry={() => void me.refetch()} />;
  }
  return (
    <>
      <a href="#content" className="sr-only z-20 rounded-lg bg-surface px-3 py-2 focus:not-sr-only focus:absolute focus:top-2 focus:left-2">
        Skip to the content
      </a>
      <SimulatedBar />
      <Header user={me.data.user} view={route.view} onPalette={() => setOverlay("palette")} onHelp={() => setOverlay("help")} />
      <ConnectionBanner />
      <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[1280px] px-4 pt-6 pb-16 outline-none sm:px-6 sm:pt-8 lg:px-11">
        <View route={route} onCreate={create} />
      </main>
      <LeaseToasts route={route} />
      {overlay === "create" ? <CreateSheet onClose={close} /> : null}
      {overlay === "palette" ? <Palette onClose={close} onCreate={create} onHelp={() => setOverlay("help")} /> : null}
      {overlay === "help" ? <Help onClose={close} /> : null}
    </>
  );
}

function View({ route, onCreate }: { route: Route; onCreate: () => void }) {
  switch (route.view) {
    case "dashboard":
    case "login":
      return <Dashboard onCreate={onCreate} />;
    case "cluster":
      return <ClusterView key={route.id} id={route.id} />;
    case "templates":
      return <TemplatesView />;
    case "account":
      return <AccountView />;
    case "unknown":
      return <NothingHere />;
  }
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { Section } from "@/components/clusters/section";
import { NOTIFY_NOTE, NotifySetting } from "@/components/shell/notify-setting";
import { THEMES } from "@/components/shell/user-menu";
import { Choice } from "@/components/ui/choice";
import { useTheme } from "@/hooks/use-theme";
import { useTitle } from "@/hooks/use-title";
import { queries } from "@/lib/api/queries";
import { coarse, when } from "@/lib/text/time";
import { plural } from "@/lib/text/words";
import { PoolSection } from "./pool-section";
import { SignOutEverywhere } from "./sign-out-everywhere";
import { TokenForm } from "./token-form";
import { TokenList } from "./token-list";

export function AccountView() {
  useTitle("Account");
  const [theme, setTheme] = useTheme();
  const me = useQuery(queries.me()).data;
  const living = useQuery(queries.clusters()).data;
  if (!me) return null;
  const used = living?.length ?? me.usage.clusters;
  return (
    <>
      <h1 className="text-xl font-semibold">Account</h1>
      <div className="mt-6 grid gap-8">
        <Section title={me.user.username} note={me.user.is_admin ? "Admin of this server" : "Member of this server"}>
          <p>
            {used} of {plural(me.quota.clusters, "cluster")} in use, each for at most {coarse(me.quota.max_ttl_seconds)}.
          </p>
          <p className="text-sm text-faint">Here since {when(me.user.created_at)}</p>
        </Section>
        <Section title="Appearance" note="Remembered in this browser.">
          <Choice legend="Appearance" hideLegend value={theme} options={THEMES} onChange={setTheme} />
        </Section>
        <Section title="Notifications" note={NOTIFY_NOTE}>
          <NotifySetting />
        </Section>
        <Section title="Tokens" note="For the command line and for scripts. A token is shown once and kept only as a hash.">
          <TokenForm scopes={me.scopes} />
          <TokenList />
        </Section>
        {me.user.is_admin ? <PoolSection /> : null}
        <Section title="Sign out everywhere" note="When a machine is lost, or a token or kubeconfig has come into wrong hands.">
          <SignOutEverywhere />
        </Section>
      </div>
    </>
  );
}

"use client";

import dynamic from "next/dynamic";

/** What is not needed for the first view is fetched when it is asked for, and ahead of time once the page rests. */
const loaders = {
  signIn: () => import("@/components/auth/sign-in"),
  create: () => import("@/components/clusters/create-sheet"),
  palette: () => import("./palette"),
  help: () => import("./help"),
  dialogs: () => import("@/components/clusters/delete-dialog"),
  toasts: () => import("./lease-toasts"),
  cluster: () => import("@/components/clusters/cluster-view"),
  resources: () => import("@/components/resources/resources-tab"),
  account: () => import("@/components/account/account-view"),
  templates: () => import("@/components/templates/templates-view"),
};

export const SignIn = dynamic(() => loaders.signIn().then((module) => module.SignIn), { ssr: false });
export const CreateSheet = dynamic(() => loaders.create().then((module) => module.CreateSheet), { ssr: false });
export const Palette = dynamic(() => loaders.palette().then((module) => module.Palette), { ssr: false });
export const Help = dynamic(() => loaders.help().then((module) => module.Help), { ssr: false });
export const CancelDialog = dynamic(() => loaders.dialogs().then((module) => module.CancelDialog), { ssr: false });
export const DeleteDialog = dynamic(() => loaders.dialogs().then((module) => module.DeleteDialog), { ssr: false });
export const LeaseToasts = dynamic(() => loaders.toasts().then((module) => module.LeaseToasts), { ssr: false });
export const ClusterView = dynamic(() => loaders.cluster().then((module) => module.ClusterView), { ssr: false });
export const ResourcesTab = dynamic(() => loaders.resources().then((module) => module.ResourcesTab), { ssr: false });
export const AccountView = dynamic(() => loaders.account().then((module) => module.AccountView), { ssr: false });
export const TemplatesView = dynamic(() => loaders.templates().then((module) => module.TemplatesView), { ssr: false });

export function fetchTheRest(): void {
  const { signIn: _, ...rest } = loaders;
  for (const load of Object.values(rest)) {
    // Offline just now: it is asked for again when it is needed.
    load().catch(() => undefined);
  }
}

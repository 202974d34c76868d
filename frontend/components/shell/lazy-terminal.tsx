"use client";

import dynamic from "next/dynamic";

/** Too heavy to be fetched ahead: it comes when somebody opens it. */
export const TerminalTab = dynamic(() => import("@/components/terminal/terminal-tab").then((module) => module.TerminalTab), {
  ssr: false,
  loading: () => <div className="skeleton h-100" role="status" aria-label="Loading the terminal" />,
});

import { GeistMono } from "geist/font/mono";
import { GeistSans } from "geist/font/sans";
import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Shell } from "@/components/shell/shell";
import "./globals.css";
import { Providers } from "./providers";

export const metadata: Metadata = {
  title: "PyK8s Lab",
  description: "Your own Kubernetes cluster, in seconds, for as long as you need it.",
};

export const viewport: Viewport = {
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#ffffff" },
    { media: "(prefers-color-scheme: dark)", color: "#121416" },
  ],
};

/** The shell picks the view from the address: `children` are only there so that each address has a document. */
export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" className={`${GeistSans.variable} ${GeistMono.variable}`} suppressHydrationWarning>
      <head>
        {/* Blocks on purpose: the remembered appearance has to be known before the first paint. */}
        {/* eslint-disable-next-line @next/next/no-sync-scripts */}
        <script src="/theme.js" />
      </head>
      <body>
        <Providers>
          <Shell />
          {children}
        </Providers>
      </body>
    </html>
  );
}

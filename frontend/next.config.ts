import type { NextConfig } from "next";

/** Where the API answers. Rewrites are fixed when the page is built. */
const backend = process.env.BACKEND_URL ?? "http://backend:8000";

const common: NextConfig = {
  poweredByHeader: false,
  reactStrictMode: true,
  images: { unoptimized: true },
  devIndicators: false,
};

/** Files only, served by the Python server next to its API. */
const staticFiles: NextConfig = { ...common, output: "export" };

/** A server of its own that hands the API on, so that the browser sees one origin. */
const standalone: NextConfig = {
  ...common,
  output: "standalone",
  rewrites: () =>
    Promise.resolve({
      // Every cluster has the same page: it reads the id from the address bar.
      beforeFiles: [{ source: "/clusters/:id", destination: "/clusters/_" }],
      afterFiles: ["/api/:path*", "/openapi.json", "/asyncapi.json", "/docs", "/docs/:path*", "/healthz", "/readyz", "/favicon.ico", "/robots.txt", "/.well-known/:path*"].map(
        (source) => ({ source, destination: `${backend}${source}` }),
      ),
      fallback: [],
    }),
  headers: () =>
    Promise.resolve([
      {
        source: "/((?!api/|docs|openapi.json|asyncapi.json|healthz|readyz).*)",
        headers: [
          { key: "Content-Security-Policy", value: contentSecurityPolicy() },
          { key: "X-Content-Type-Options", value: "nosniff" },
          { key: "X-Frame-Options", value: "DENY" },
          { key: "Referrer-Policy", value: "same-origin" },
          { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
          { key: "Permissions-Policy", value: "camera=(), microphone=(), geolocation=()" },
        ],
      },
    ]),
};

function contentSecurityPolicy(): string {
  if (process.env.NODE_ENV !== "production") {
    return "frame-ancestors 'none'";
  }
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export default process.env.PYK8S_BUILD === "static" ? staticFiles : standalone;

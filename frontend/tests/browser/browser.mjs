// What the browser tests share: the settings, the browser, and small words for waiting and telling.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

export const settings = {
  baseUrl: process.env.PYK8S_BASE_URL ?? "http://localhost:8000",
  chromium: process.env.PYK8S_CHROMIUM ?? "/usr/bin/chromium",
  /** The simulated driver obeys it; kind ignores it. */
  simulate: process.env.PYK8S_SIMULATE ?? "",
  /** The views to look at, by name; none: all. What a driver does not change needs no second look. */
  looks: (process.env.PYK8S_LOOKS ?? "").split(" ").filter(Boolean),
  screenshots: process.env.PYK8S_SCREENSHOTS ?? "",
  downloads: process.env.PYK8S_DOWNLOADS ?? "",
  username: process.env.PYK8S_TEST_USER ?? `browser-${Date.now().toString(36)}`,
  password: "correct horse battery",
  readyMs: Number(process.env.PYK8S_READY_SECONDS ?? 240) * 1000,
};

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openBrowser() {
  for (const directory of [settings.screenshots, settings.downloads]) {
    if (directory) await mkdir(directory, { recursive: true });
  }
  return chromium.launch({ executablePath: settings.chromium, args: ARGUMENTS });
}

/** A fresh page that remembers every complaint of the browser: an error in the console fails the test. */
export async function openPage(context) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    // A refused request is told here too; the page itself handles those.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints };
}

export function check(condition, words) {
  if (!condition) throw new Error(words);
}

let began = Date.now();
export function tell(words) {
  console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${words}`);
}

// Every view in light and dark, wide and narrow: accessibility rules hold, nothing sticks out; pictures on request.
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { settings, tell } from "./browser.mjs";

/** What was found; the run fails at its end, so that one run tells all. */
export const problems = [];

const WIDTHS = { 1440: 900, 390: 844 };

export function isToBeLookedAt(name) {
  return settings.looks.length === 0 || settings.looks.includes(name);
}

export async function inspect(page, name) {
  if (!isToBeLookedAt(name)) return;
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const [width, height] of Object.entries(WIDTHS)) {
      await page.setViewportSize({ width: Number(width), height });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      if (settings.screenshots) await page.screenshot({ path: join(settings.screenshots, `${name}-${scheme}-${width}.png`) });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) problems.push(`${name} at ${width} is ${overflow} px too wide`);
    }
    const { violations } = await new AxeBuilder({ page }).analyze();
    const words = violations.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join("\n    ")}`);
    for (const word of words) problems.push(`${name} in ${scheme}: ${word}`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  tell(`looked at ${name}`);
}

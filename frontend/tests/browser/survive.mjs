// A connection that breaks again and again in the middle of a build: the page says so, comes back, and misses no line.
import { check, settings, tell } from "./browser.mjs";
import { create, remove, watchUntilReady } from "./journey.mjs";
import { inspect } from "./look.mjs";

const BREAKS = 4;

export async function surviveBrokenConnections(context, name) {
  const page = await context.newPage();
  let streams = [];
  let isAway = false;
  await page.routeWebSocket(/\/api\/v1\/stream$/, (stream) => {
    streams.push(stream);
    if (isAway) void stream.close({ code: 1012, reason: "the test" });
    else stream.connectToServer();
  });
  await page.goto(settings.baseUrl);
  await page.getByRole("heading", { name: "Clusters", exact: true }).waitFor();
  const id = await create(page, name, settings.simulate);
  await page.locator("[data-step][data-state=succeeded]").first().waitFor({ timeout: settings.readyMs });
  await inspect(page, "building");

  isAway = true;
  await streams.at(-1).close({ code: 1012, reason: "the test" });
  const banner = page.getByRole("complementary", { name: "Connection" });
  await banner.getByText(/^Reconnecting in [2-9]/).waitFor({ timeout: 60_000 });
  await page.getByRole("region", { name: "Build log" }).getByText("Reconnecting", { exact: true }).waitFor();
  await inspect(page, "reconnecting");
  isAway = false;
  // It may come back by itself in this very moment.
  await banner
    .getByRole("button", { name: "Try now" })
    .click({ timeout: 5000 })
    .catch(() => tell("the page was back before the click"));
  await banner.waitFor({ state: "detached", timeout: 40_000 });

  for (let time = 0; time < BREAKS; time += 1) {
    const before = streams.length;
    await streams.at(-1).close({ code: 1012, reason: "the test" });
    const deadline = Date.now() + 40_000;
    while (streams.length === before) {
      check(Date.now() < deadline, "the page does not come back");
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
  }
  await watchUntilReady(page, { steps: 0 });
  await page.waitForFunction(
    async (cluster) => {
      const raw = (await (await fetch(`/api/v1/clusters/${cluster}/log`)).text()).trimEnd().split("\n").length;
      return document.body.innerText.includes(`${raw} lines`);
    },
    id,
    { timeout: 20_000, polling: 250 },
  );
  tell(`came back ${BREAKS} times and has every line`);
  await remove(page, name);
  await page.close();
}

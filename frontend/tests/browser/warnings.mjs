// What the page says by itself: that a lease ends, and that a cluster may not be what it is called.
import { check, settings, tell } from "./browser.mjs";
import { inspect } from "./look.mjs";

/** A little over what the server warns at first, so that the warning comes as soon as it is ready. */
const SHORT_LEASE_SECONDS = 604;

async function createThroughApi(page, body) {
  return page.evaluate(async (asked) => {
    const answer = await fetch("/api/v1/clusters", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
    return (await answer.json()).id;
  }, body);
}

/** The browser's question stands in the way: it comes after a click, and never else. */
async function askOnlyOnAClick(page, toast) {
  check((await page.evaluate(() => window.timesAsked)) === 0, "the page asks for notifications by itself");
  await toast.getByRole("button", { name: "Also notify me" }).click();
  check((await page.evaluate(() => window.timesAsked)) === 1, "a click asks for notifications");
}

async function countQuestions(page) {
  await page.evaluate(() => {
    window.timesAsked = 0;
    window.Notification.requestPermission = () => {
      window.timesAsked += 1;
      return Promise.resolve("default");
    };
  });
}

export async function warnOfTheEnd(page, name) {
  for (const key of "gd") await page.keyboard.press(key);
  await countQuestions(page);
  await createThroughApi(page, { name, ttl_seconds: SHORT_LEASE_SECONDS });
  const toast = page.locator(`[data-toast="${name}"]`);
  await toast.waitFor({ timeout: settings.readyMs });
  await askOnlyOnAClick(page, toast);
  await inspect(page, "toast");
  await toast.getByRole("link", { name }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  const bar = page.getByRole("complementary", { name: "Time left" });
  await bar.waitFor();
  check((await toast.count()) === 0, "no toast on the cluster's own page");
  check((await page.locator("header [data-urgency=soon]").count()) === 1, "the ring is amber");
  await inspect(page, "expiring");
  for (const key of "gt") await page.keyboard.press(key);
  await toast.getByRole("button", { name: "Extend 1 h" }).click();
  await toast.waitFor({ state: "detached" });
  tell("warned of the end, extended in one click");
}

/** The server's words are changed on their way, since no simulated host goes away. */
export async function doubtReady(context, name) {
  const doubt = (text) =>
    text.replaceAll(/"status":\s*"True",\s*"reason":\s*"Provisioned",\s*"message":\s*"[^"]*"/g, '"status":"Unknown","reason":"HostUnreachable","message":"Docker does not answer"');
  const page = await context.newPage();
  await page.routeWebSocket(/\/api\/v1\/stream$/, (stream) => {
    const server = stream.connectToServer();
    server.onMessage((message) => stream.send(doubt(String(message))));
  });
  await page.route(/\/api\/v1\/clusters(?:\?|\/[^/]+$|$)/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: doubt(await response.text()) });
  });
  await page.goto(settings.baseUrl);
  const row = page.locator(`[data-cluster="${name}"]`);
  await row.getByText("Docker does not answer; last known ready").waitFor();
  await inspect(page, "doubt-row");
  await row.getByRole("link", { name, exact: true }).click();
  await page.getByRole("status").getByText("Docker does not answer; last known ready").waitFor();
  await inspect(page, "doubt");
  await page.close();
  tell("says that a ready cluster is in doubt");
}

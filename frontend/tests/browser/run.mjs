// The browser test: `PYK8S_BASE_URL=http://localhost:8000 npm run test:browser`. See browser.mjs for the settings.
import { giveAndRevoke } from "./access.mjs";
import { cancelAndRetry, retryFromThePage, retryFromTheTable } from "./again.mjs";
import { check, openBrowser, openPage, settings, tell } from "./browser.mjs";
import * as journey from "./journey.mjs";
import { takeFromPool } from "./pool.mjs";
import { pauseAndResume } from "./rest.mjs";
import { surviveBrokenConnections } from "./survive.mjs";
import { inspect, isToBeLookedAt, problems } from "./look.mjs";
import { tryTerminals } from "./terminal.mjs";
import { doubtReady, warnOfTheEnd } from "./warnings.mjs";

const browser = await openBrowser();
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  const { page, complaints } = await openPage(context);

  await page.goto(settings.baseUrl);
  await page.getByLabel("Username").waitFor();
  await inspect(page, "sign-in");
  await journey.register(page);
  // A reload would lose this mark.
  await page.evaluate(() => (window.neverReloaded = true));

  await page.getByText("Your first cluster is one click away").waitFor();
  await inspect(page, "empty");
  await page.keyboard.press("n");
  await page.getByRole("dialog").getByLabel("Name").waitFor();
  await inspect(page, "create");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await inspect(page, "help");
  await page.keyboard.press("Escape");

  const server = await page.evaluate(async () => (await fetch("/api/v1/server")).json());
  await journey.create(page, "demo", settings.simulate);
  await journey.watchUntilReady(page);
  await inspect(page, "cluster");
  await journey.searchLog(page);
  await journey.extend(page);
  const kubeconfig = await journey.downloadKubeconfig(page, "demo");
  if (server.driver === "kind") await journey.useKubeconfig(kubeconfig);
  await journey.seeInside(page, server.driver);
  await giveAndRevoke(page, inspect);
  for (const tab of ["Events", "Settings"]) {
    await page.getByRole("tab", { name: tab }).click();
    await inspect(page, tab.toLowerCase());
  }

  if (server.driver === "simulated") {
    await tryTerminals(browser, context, page.url());
    await pauseAndResume(page, "demo");
  }

  if (server.driver === "simulated") {
    await journey.create(page, "broken", "fail-late");
    await page.getByText("What to do").waitFor({ timeout: settings.readyMs });
    await inspect(page, "failed");
    await journey.downloadEvidence(page);
    await retryFromThePage(page);
    await cancelAndRetry(page, "again");
    await retryFromTheTable(page, "broken");
    await warnOfTheEnd(page, "short");
    await doubtReady(context, "again");
    const { user } = await page.evaluate(async () => (await fetch("/api/v1/auth/me")).json());
    if (user.is_admin) await takeFromPool(page, "pooled");
  }
  for (const [keys, heading, name] of [["gd", "Clusters", "dashboard"], ["gt", "Templates", "templates"], ["ga", "Account", "account"]]) {
    for (const key of keys) await page.keyboard.press(key);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await inspect(page, name);
  }
  if (isToBeLookedAt("stream-reference")) {
    const { page: reference, complaints: ofReference } = await openPage(context);
    await reference.goto(`${settings.baseUrl}/docs/stream`);
    await reference.getByRole("heading", { level: 1, name: "The stream" }).waitFor();
    await inspect(reference, "stream-reference");
    await reference.close();
    complaints.push(...ofReference);
  }
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("demo");
  await inspect(page, "palette");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "demo" }).waitFor();
  await journey.remove(page, "demo");

  await surviveBrokenConnections(context, "flaky");
  check(await page.evaluate(() => window.neverReloaded === true), "no page ever reloads");
  await page.getByRole("button", { name: /^Menu of/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: /^Sign in/ }).waitFor();
  await journey.refuseWrongPassword(page);
  check(complaints.length === 0, `the browser complains:\n  ${complaints.join("\n  ")}`);
  check(problems.length === 0, `not as it should look:\n  ${problems.join("\n  ")}`);
  tell("all of it works");
} finally {
  await browser.close();
}

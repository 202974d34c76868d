// A build that somebody cancels, and that is tried again on the same page until it is ready.
import { check, settings, tell } from "./browser.mjs";
import { create, watchUntilReady } from "./journey.mjs";
import { inspect } from "./look.mjs";

export async function cancelAndRetry(page, name) {
  // Slow enough to be caught in the middle.
  const id = await create(page, name, "slow");
  await page.locator("[data-step=nodes][data-state=running]").waitFor({ timeout: settings.readyMs });
  const header = page.locator("header");
  await header.getByRole("button", { name: "Cancel", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: `Cancel the build of ${name}?` });
  await dialog.getByText("The build stops at once").waitFor();
  await inspect(page, "cancel");
  await dialog.getByRole("button", { name: "Cancel the build" }).click();
  await header.getByText("Cancelled", { exact: true }).first().waitFor();
  check((await page.getByRole("region", { name: "Why it failed" }).count()) === 0, "a cancelled build raises no alarm");
  check((await page.locator("[data-state=running]").count()) === 0, "no step runs on after a cancel");
  await inspect(page, "cancelled");
  tell("cancelled");

  await header.getByRole("button", { name: "Retry" }).click();
  await page.locator("[data-attempt]").filter({ hasText: "attempt 2" }).waitFor({ timeout: settings.readyMs });
  await page.getByRole("region", { name: "Cancelled" }).waitFor({ state: "detached" });
  check(page.url().endsWith(id), "the same page goes on");
  await page.locator("[data-step][data-state=running]").first().waitFor();
  await inspect(page, "again");
  // On a busy machine the look outlasts the build; that steps are live was seen before it.
  await watchUntilReady(page, { steps: 0 });
  tell("cancelled, tried again, ready");
}

/** On the page of a failed cluster the explanation gives way to the next attempt, and comes back with its own. */
export async function retryFromThePage(page) {
  const why = page.getByRole("region", { name: "Why it failed" });
  await page.locator("header").getByRole("button", { name: "Retry" }).click();
  await why.waitFor({ state: "detached", timeout: settings.readyMs });
  await page.locator("[data-attempt]").filter({ hasText: "attempt 2" }).waitFor();
  await page.locator("[data-step][data-state=running]").first().waitFor();
  await why.waitFor({ timeout: settings.readyMs });
  await inspect(page, "failed-again");
  tell("tried again on its page: live, and explained anew");
}

/** The row of a cluster offers another try, and shows how it goes. */
export async function retryFromTheTable(page, name) {
  for (const key of "gd") await page.keyboard.press(key);
  const row = page.locator(`[data-cluster="${name}"]`);
  await row.getByRole("button", { name: `Retry ${name}` }).click();
  await row.locator("[data-phase=provisioning]").waitFor({ timeout: settings.readyMs });
  await row.locator("[data-phase=failed]").waitFor({ timeout: settings.readyMs });
  tell(`tried ${name} again from the table`);
}

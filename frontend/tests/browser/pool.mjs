// An administrator keeps one cluster ready; who asks for one has it at once, and its page says how.
import { check, settings, tell } from "./browser.mjs";
import { remove } from "./journey.mjs";
import { inspect } from "./look.mjs";

async function keep(page, size) {
  for (const key of "ga") await page.keyboard.press(key);
  const field = page.getByRole("spinbutton", { name: "Prebuilt default" });
  await field.fill(String(size));
  await field.press("Enter");
  await field.blur();
}

export async function takeFromPool(page, name) {
  await keep(page, 1);
  const row = page.getByRole("list", { name: "Pool" }).getByRole("listitem").filter({ hasText: "default" });
  await row.getByText("1 of 1 ready").waitFor({ timeout: settings.readyMs });
  await inspect(page, "pool");
  await page.keyboard.press("n");
  const sheet = page.getByRole("dialog", { name: "New cluster" });
  await sheet.getByText("ready at once (1 prebuilt)").waitFor();
  await inspect(page, "create-prebuilt");
  await sheet.getByLabel("Name").fill(name);
  await sheet.getByRole("button", { name: "Create cluster" }).click();
  await page.locator("header [data-phase=ready]").waitFor({ timeout: settings.readyMs });
  const words = await page.getByRole("region", { name: "From the pool" }).innerText();
  check(words.startsWith("Built ahead of time; handed over in "), `it says how it came to be: ${words}`);
  await inspect(page, "from-pool");
  const address = page.url();
  await keep(page, 0);
  await page.getByText("None is kept.").first().waitFor({ timeout: settings.readyMs });
  await page.goBack();
  check(page.url() === address, "back on its page");
  await remove(page, name);
  tell(words.split("\n")[0]);
}

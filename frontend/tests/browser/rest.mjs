// A cluster is paused and goes on, on its own page: said in the header, in the tabs and in the events.
import { check, settings, tell } from "./browser.mjs";
import { inspect } from "./look.mjs";

const phase = (page, name) => page.locator(`header [data-phase=${name}]`).waitFor({ timeout: settings.readyMs });

export async function pauseAndResume(page, name) {
  const header = page.locator("header");
  await header.getByRole("button", { name: "Pause", exact: true }).click();
  await phase(page, "paused");
  await page.getByText("wakes by itself when it is used").waitFor();
  check(await header.getByRole("button", { name: "Resume" }).evaluate((button) => button === document.activeElement), "the keyboard stays on the button");
  await page.getByRole("tab", { name: "Build" }).click();
  await inspect(page, "paused");
  await page.getByRole("tab", { name: "Terminal" }).click();
  await page.getByText("A terminal wakes it").waitFor();
  await header.getByRole("button", { name: "Resume" }).click();
  await phase(page, "ready");
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByText("Ready again, as somebody asked").first().waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill(`pause ${name}`);
  await page.keyboard.press("Enter");
  await phase(page, "paused");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill(`resume ${name}`);
  await page.keyboard.press("Enter");
  await phase(page, "ready");
  tell("paused and resumed, by click and by name");
}

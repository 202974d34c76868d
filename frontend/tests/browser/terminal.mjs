// Terminals of a simulated cluster: type, find it again after a reload and a lost network, several of them, an end.
import { check, tell } from "./browser.mjs";
import { inspect } from "./look.mjs";

/** In a context of its own: the network of all its pages is cut. */
export async function tryTerminals(browser, signedIn, address) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, storageState: await signedIn.storageState() });
  const page = await context.newPage();
  const shows = (text) =>
    page.waitForFunction(
      (wanted) => [...document.querySelectorAll(".xterm-rows")].some((rows) => rows.offsetParent && rows.innerText.replaceAll("\u00a0", " ").includes(wanted)),
      text,
      { timeout: 30_000 },
    );
  await page.goto(new URL("?tab=terminal", address).href);
  await shows("(simulated)$");
  await page.keyboard.type("echo made of words\n");
  await shows("\nmade of words");
  await inspect(page, "terminal");

  await page.reload();
  await shows("\nmade of words");
  await page.keyboard.type("echo after the reload\n");
  await shows("\nafter the reload");
  tell("a reload finds the terminal again");

  await context.setOffline(true);
  await page.getByText("The connection is lost").waitFor();
  await inspect(page, "terminal-offline");
  await context.setOffline(false);
  await page.getByText("The connection is lost").waitFor({ state: "detached", timeout: 40_000 });
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("echo after the cut\n");
  await shows("\nafter the cut");
  tell("a lost network finds the terminal again");

  await page.keyboard.press("Control+Shift+F");
  await page.getByRole("searchbox", { name: "Search the terminal" }).fill("made of");
  await page.getByText(/of 2$/).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.type("raw 1b5b366e1b5b631b5d35323b633b3f07\n");
  await page.keyboard.type("echo nothing answered\n");
  await shows("\nnothing answered");

  await page.getByRole("button", { name: "New terminal" }).click();
  check((await page.getByRole("tab", { name: /^Shell/ }).count()) === 2, "there are two terminals");
  await shows("(simulated)$");
  await page.keyboard.type("exit 3\n");
  await page.getByText("The shell has ended with exit code 3.").waitFor();
  await inspect(page, "terminal-ended");
  await page.getByRole("button", { name: "Start again" }).click();
  await page.getByText("The shell has ended").waitFor({ state: "detached" });
  await shows("(simulated)$");
  await page.keyboard.press("Control+Shift+L");
  check(await page.evaluate(() => document.activeElement?.tagName === "BUTTON"), "the focus leaves the terminal");
  tell("terminals open, end and begin again");
  await context.close();
}

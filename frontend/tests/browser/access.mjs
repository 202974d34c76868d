// The tab Access: a kubeconfig for each purpose, the list of them, and the end of one.
import { readFile } from "node:fs/promises";
import { check, tell } from "./browser.mjs";

const card = (page) => page.getByRole("list", { name: "Credentials" }).getByRole("listitem");

/** Downloads one more kubeconfig; the list grows without a reload, and shrinks when one is revoked. */
export async function giveAndRevoke(page, inspect) {
  await page.getByRole("tab", { name: "Access" }).click();
  await card(page).first().waitFor();
  const before = await card(page).count();
  await page.getByText("1 hour", { exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download kubeconfig" }).click()]);
  const text = await readFile(await download.path(), "utf8");
  check(/token: pyk8s_kube_/.test(text) && /\/clusters\//.test(text), "the file goes through the proxy");
  check(download.suggestedFilename() === "pyk8s-demo.yaml", `it is called ${download.suggestedFilename()}`);
  await card(page).nth(before).waitFor();
  check((await card(page).first().innerText()).includes("ends in"), "the newest one comes first, with its end");
  await inspect(page, "access");
  await card(page).first().getByRole("button", { name: /^Revoke/ }).click();
  const dialog = page.getByRole("dialog");
  await inspect(page, "revoke");
  await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
  await dialog.waitFor({ state: "detached" });
  await card(page).nth(before).waitFor({ state: "detached" });
  check((await card(page).count()) === before, "one less");
  tell("gave one more kubeconfig and revoked it");
}

// The whole main job, as a person does it: register, create, watch, download, delete.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { check, settings, tell } from "./browser.mjs";
import { inspect } from "./look.mjs";

export async function register(page) {
  await page.goto(settings.baseUrl);
  await page.getByLabel("Username").waitFor();
  const heading = page.getByRole("heading", { level: 1 });
  if ((await heading.innerText()).startsWith("Sign in")) await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("Username").fill(settings.username);
  await page.getByLabel("Password").fill(settings.password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "Clusters", exact: true }).waitFor();
  tell(`registered ${settings.username}`);
}

export async function refuseWrongPassword(page) {
  await page.getByLabel("Username").fill(settings.username);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  const words = await page.getByRole("main").getByRole("alert").innerText();
  check(/password|username/i.test(words), `a wrong password is explained, got: ${words}`);
  tell(`a wrong password says: ${words}`);
}

/** Creates through the form and gives the id; the page is then that of the cluster. */
export async function create(page, name, simulate) {
  await page.keyboard.press("n");
  const sheet = page.getByRole("dialog", { name: "New cluster" });
  await sheet.getByLabel("Name").fill(name);
  if (simulate) {
    await sheet.getByText("Advanced").click();
    await sheet.getByLabel("Labels").fill(`simulate=${simulate}`);
  }
  const before = Date.now();
  await sheet.getByRole("button", { name: "Create cluster" }).click();
  await page.waitForURL(/\/clusters\/[0-9a-f-]{36}$/);
  await page.getByRole("heading", { level: 1, name }).waitFor();
  tell(`asked for ${name}, its page is there after ${Date.now() - before} ms`);
  await page.locator("[data-seq]").first().waitFor();
  tell(`first line of its log after ${Date.now() - before} ms`);
  return page.url().split("/").at(-1);
}

export async function watchUntilReady(page, atLeast = { steps: 2 }) {
  const seen = [];
  const deadline = Date.now() + settings.readyMs;
  for (;;) {
    const running = await page.locator("[data-step][data-state=running]").evaluateAll((items) => items.map((item) => item.dataset.step));
    for (const step of running) if (seen.at(-1) !== step) seen.push(step);
    const phase = await page.locator("header [data-phase]").first().getAttribute("data-phase");
    if (phase === "ready") break;
    check(phase !== "failed", "the cluster failed");
    check(Date.now() < deadline, `not ready in time, it is ${phase}`);
    // As often as the page draws: a step may be short.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  const done = await page.locator("[data-step][data-state=succeeded]").count();
  check(seen.length >= atLeast.steps, `steps arrive while it is built, saw: ${seen.join(", ")}`);
  check(done >= 4, `all steps are done in the end, got ${done}`);
  tell(`ready; saw live: ${seen.join(", ")}; ${done} steps done`);
}

export async function downloadKubeconfig(page, name) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("header").getByRole("link", { name: "kubeconfig", exact: true }).click()]);
  const file = settings.downloads ? join(settings.downloads, `${name}.yaml`) : await download.path();
  if (settings.downloads) await download.saveAs(file);
  const text = await readFile(file, "utf8");
  check(text.includes("kind: Config") && text.includes(`pyk8s-${name}`), "the download is a kubeconfig of this cluster");
  tell(`downloaded ${download.suggestedFilename()}`);
  return file;
}

/** What the page gave is what kubectl takes, as it is. */
export async function useKubeconfig(file) {
  const { stdout } = await promisify(execFile)("kubectl", ["--kubeconfig", file, "get", "nodes", "--no-headers"], { timeout: 30_000 });
  check(/^\S+\s+Ready\s/m.test(stdout), `kubectl finds a node that is Ready: ${stdout}`);
  tell(`kubectl with the downloaded file: ${stdout.trim().replace(/\s+/g, " ")}`);
}

/** The tab Resources: live on a real cluster, from the list to the log of a pod; a simulated one says that it is. */
export async function seeInside(page, driver) {
  await page.getByRole("tab", { name: "Resources" }).click();
  check(new URL(page.url()).searchParams.get("tab") === "resources", "the tab is in the address");
  if (driver === "simulated") {
    await page.getByText("This cluster is simulated").waitFor();
    await inspect(page, "resources");
    return;
  }
  await page.getByLabel("Namespace").selectOption("kube-system");
  const pod = page.getByRole("button", { name: /^kube-apiserver-/ });
  await pod.waitFor({ timeout: settings.readyMs });
  await inspect(page, "resources");
  await pod.press("Enter");
  const panel = page.getByRole("dialog", { name: /^Pod kube-apiserver-/ });
  await panel.locator("[data-seq]").first().waitFor({ timeout: settings.readyMs });
  await inspect(page, "pod");
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  tell("saw inside, and the log of a pod");
}

export async function downloadEvidence(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download evidence" }).click()]);
  const bytes = await readFile(await download.path());
  check(bytes[0] === 0x1f && bytes[1] === 0x8b, "the evidence is a gzip");
  tell(`downloaded ${download.suggestedFilename()}, ${bytes.length} bytes`);
}

export async function extend(page) {
  const left = page.locator("header").getByText(/left$/);
  const before = await left.innerText();
  await page.getByRole("button", { name: "Extend by 1 h" }).click();
  await page.locator("header").getByText("2 h left").waitFor();
  tell(`extended: ${before} became ${await left.innerText()}`);
}

export async function searchLog(page) {
  await page.keyboard.press("/");
  await page.getByRole("searchbox", { name: "Search the log" }).fill("node");
  const status = page.getByRole("search").getByRole("status");
  await page.waitForFunction((element) => /\d+ of \d+/.test(element.textContent), await status.elementHandle());
  tell(`the log holds "node": ${await status.innerText()}`);
  await page.keyboard.press("Escape");
}

export async function remove(page, name) {
  await page.locator("header").getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: `Delete ${name}?` });
  await dialog.getByRole("button", { name: "Delete cluster" }).click();
  await page.locator("header [data-phase=deleted]").waitFor({ timeout: settings.readyMs });
  await page.getByRole("navigation", { name: "Where this is" }).getByRole("link", { name: "Clusters" }).click();
  await page.getByRole("heading", { name: "Clusters", exact: true }).waitFor();
  check((await page.locator(`[data-cluster="${name}"]`).count()) === 0, "a deleted cluster leaves the list");
  tell("deleted");
}

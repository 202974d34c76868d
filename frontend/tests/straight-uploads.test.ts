// @vitest-environment node
/* eslint-disable no-restricted-globals -- here a test plays the browser */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Stands for Next's own server: says that it was asked. */
const PAGE = `
  require("node:http").createServer((request, response) => response.end("page " + request.method)).listen(0, function () {
    console.log(this.address().port);
  });
`;

/** Makes a minute of the page's own timers last three seconds. */
const SHORT_MINUTES = `
  const { setTimeout, setInterval } = globalThis;
  const shorter = (ms) => (ms >= 60000 ? ms / 20 : ms);
  globalThis.setTimeout = (call, ms, ...more) => setTimeout(call, shorter(ms), ...more);
  globalThis.setInterval = (call, ms, ...more) => setInterval(call, shorter(ms), ...more);
`;

let backend: http.Server;
let page: ChildProcess;
let hasty: ChildProcess;
let url: string;
let hastyUrl: string;

beforeAll(async () => {
  backend = http.createServer((request, response) => {
    if (request.headers.authorization === "no") {
      response.writeHead(401).end("refused");
      return;
    }
    let bytes = 0;
    request.on("data", (piece: Buffer) => (bytes += piece.length));
    request.on("end", () => response.writeHead(201, { "x-from": "api" }).end(`${request.headers["content-type"]} ${bytes}`));
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  const api = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  [page, url] = await startPage(api);
  [hasty, hastyUrl] = await startPage(api, ["--import", `data:text/javascript,${encodeURIComponent(SHORT_MINUTES)}`]);
});

async function startPage(api: string, options: string[] = []): Promise<[ChildProcess, string]> {
  const given = [...options, "--import", "./scripts/straight-uploads.mjs", "-e", PAGE];
  const started = spawn(process.execPath, given, { env: { ...process.env, BACKEND_URL: api } });
  const port = await new Promise<string>((resolve) => started.stdout.once("data", (said: Buffer) => resolve(said.toString().trim())));
  return [started, `http://127.0.0.1:${port}`];
}

afterAll(() => {
  page.kill();
  hasty.kill();
  backend.close();
});

async function send(path: string, headers: Record<string, string> = {}) {
  const body = new Uint8Array(12_000_000);
  return fetch(url + path, { method: "POST", body, headers: { "Content-Type": "application/x-tar", ...headers } });
}

test("an archive goes to the API whole, beyond what Next would take", async () => {
  const answer = await send("/api/v1/clusters/demo/images");
  expect([answer.status, answer.headers.get("x-from"), await answer.text()]).toEqual([201, "api", "application/x-tar 12000000"]);
});

test("everything else is the page's", async () => {
  expect(await (await send("/api/v1/clusters/demo/apps")).text()).toBe("page POST");
  expect(await (await fetch(`${url}/api/v1/clusters/demo/images`)).text()).toBe("page GET");
});

test("where nobody answers the page says so, and goes on", () => {
  const script = `
    const server = require("node:http").createServer(() => undefined).listen(0, async function () {
      const answer = await fetch("http://127.0.0.1:" + this.address().port + "/api/v1/clusters/x/images", { method: "POST", body: "x" });
      console.log(answer.status);
      server.close();
    });
  `;
  const said = execFileSync(process.execPath, ["--import", "./scripts/straight-uploads.mjs", "-e", script], {
    env: { ...process.env, BACKEND_URL: "http://127.0.0.1:1" },
    timeout: 20_000,
  });
  expect(said.toString().trim()).toBe("502");
});

/** Send the beginning of a body, and then a byte now and then until the page has had enough. */
async function drip(path: string): Promise<void> {
  const { hostname, port } = new URL(hastyUrl);
  const socket = net.connect(Number(port), hostname);
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbeginning`);
  const dripping = setInterval(() => socket.write("x"), 50);
  socket.on("error", () => undefined); // a reset, where a byte was on its way
  socket.resume();
  await new Promise<void>((resolve) => socket.on("close", () => resolve()));
  clearInterval(dripping);
}

test.each(["/api/v1/clusters/demo/images", "/api/v1/clusters/demo/apps"])("a body that hardly comes is not waited for: %s", async (path) => {
  await drip(path);
}, 20_000);

test("an archive may take longer than a window as long as it moves", async () => {
  const piece = new Uint8Array(100_000);
  let pieces = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      if (pieces++ < 20) controller.enqueue(piece);
      else controller.close();
    },
  });
  const answer = await fetch(`${hastyUrl}/api/v1/clusters/demo/images`, { method: "POST", body, duplex: "half" } as RequestInit);
  expect([answer.status, await answer.text()]).toEqual([201, "undefined 2000000"]);
}, 30_000);

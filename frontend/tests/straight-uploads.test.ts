// @vitest-environment node
/* eslint-disable no-restricted-globals -- here a test plays the browser */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Stands for Next's own server: says that it was asked. */
const PAGE = `
  require("node:http").createServer((request, response) => response.end("page " + request.method)).listen(0, function () {
    console.log(this.address().port);
  });
`;

let backend: http.Server;
let page: ChildProcess;
let url: string;

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
  page = spawn(process.execPath, ["--import", "./scripts/straight-uploads.mjs", "-e", PAGE], { env: { ...process.env, BACKEND_URL: api } });
  const port = await new Promise<string>((resolve) => page.stdout?.once("data", (said: Buffer) => resolve(said.toString().trim())));
  url = `http://127.0.0.1:${port}`;
});

afterAll(() => {
  page.kill();
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

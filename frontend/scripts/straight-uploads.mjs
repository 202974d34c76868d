// Loaded before the page's own server in its container: archives of images go straight on to the API.
// Next keeps the body of a request that it hands on in memory, cuts it off at 10 MB, and gives it up after five minutes.
import http from "node:http";
import { pipeline } from "node:stream";

const backend = process.env.BACKEND_URL ?? "http://backend:8000";
const UPLOAD = /^\/api\/v1\/clusters\/[^/?]+\/images$/;

const create = http.createServer;
http.createServer = (...given) => {
  const answer = given.pop();
  const server = create(...given, (request, response) => {
    if (request.method === "POST" && UPLOAD.test(request.url)) passOn(request, response);
    else answer(request, response);
  });
  // The API knows which request may take long, and sees to it that none stalls. A head still has to come within a minute.
  server.requestTimeout = 0;
  return server;
};

function passOn(request, response) {
  const { host: _, ...headers } = request.headers;
  const onward = http.request(new URL(request.url, backend), { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    pipeline(answer, response, () => undefined);
  });
  onward.on("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on("close", () => onward.destroy());
  // The API may refuse before it has read all: its answer goes back, whatever becomes of the rest.
  request.pipe(onward);
}

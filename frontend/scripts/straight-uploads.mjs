// Loaded before the page's own server in its container: archives of images go straight on to the API.
// Next keeps the body of a request that it hands on in memory, cuts it off at 10 MB, and gives it up after five minutes.
import http from "node:http";
import { pipeline } from "node:stream";

const backend = process.env.BACKEND_URL ?? "http://backend:8000";
const UPLOAD = /^\/api\/v1\/clusters\/[^/?]+\/images$/;

/** The body of any other request has to be here within this time. The API itself gives it 20 s. */
const BODY_MS = 60_000;
/** An archive may take as long as it takes, but has to move: this much in each window, unless it is the API that does not read on. */
const UPLOAD_WINDOW_MS = 60_000;
const UPLOAD_BYTES_PER_WINDOW = 64 * 1024;

const create = http.createServer;
http.createServer = (...given) => {
  const answer = given.pop();
  const server = create(...given, (request, response) => {
    if (request.method === "POST" && UPLOAD.test(request.url)) passOn(request, response);
    else {
      endUnlessComplete(request);
      answer(request, response);
    }
  });
  // Node has one limit for all requests, or none; here each kind has its own. A head still has to come within a minute.
  server.requestTimeout = 0;
  return server;
};

function endUnlessComplete(request) {
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, BODY_MS);
  request.socket.once("close", () => clearTimeout(timer));
  request.once("close", () => clearTimeout(timer));
}

function endUnlessMoving(request, isHeld) {
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete) clearInterval(timer);
    else if (socket.bytesRead - before < UPLOAD_BYTES_PER_WINDOW && !isHeld()) socket.destroy();
    before = socket.bytesRead;
  }, UPLOAD_WINDOW_MS);
  socket.once("close", () => clearInterval(timer));
}

function passOn(request, response) {
  const { host: _, ...headers } = request.headers;
  const onward = http.request(new URL(request.url, backend), { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    pipeline(answer, response, () => undefined);
  });
  endUnlessMoving(request, () => onward.writableNeedDrain && !onward.destroyed);
  onward.on("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on("close", () => onward.destroy());
  // The API may refuse before it has read all: its answer goes back, whatever becomes of the rest.
  request.pipe(onward);
}

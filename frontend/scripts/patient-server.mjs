// Node ends a request that has not come as a whole after five minutes. An archive of images may take longer: the
// backend knows which request may, and sees to it that it does not stall. A head has to come within a minute as ever.
import http from "node:http";

const create = http.createServer;
http.createServer = (...given) => {
  const server = create(...given);
  server.requestTimeout = 0;
  return server;
};

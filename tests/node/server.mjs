// An echo server on npm's engine.io: node server.mjs PORT. "leave" disconnects its sender.

import { createServer } from "node:http";
import { Server } from "engine.io";

const http = createServer();
const server = new Server();
server.attach(http);
server.on("connection", (socket) => {
  socket.on("message", (data) => (data === "leave" ? socket.close() : socket.send(data)));
});
http.listen(Number(process.argv[2]), "127.0.0.1");

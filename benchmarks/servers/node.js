// The application under test on npm's engine.io: node node.js PORT
"use strict";

const http = require("http");
const engine = require("engine.io");

const site = http.createServer((request, response) => response.writeHead(404).end());
const server = engine.attach(site);

// Send "b..." to all, answer "z..." after 50 ms, echo anything else.
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const first = typeof data === "string" ? data[0] : "";
    if (first === "b") {
      for (const sid in server.clients) server.clients[sid].send(data);
    } else if (first === "z") {
      setTimeout(() => socket.send(data), 50);
    } else {
      socket.send(data);
    }
  });
});

site.listen(Number(process.argv[2]), "127.0.0.1");

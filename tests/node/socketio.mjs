// Runs npm's socket.io-client against a server: node socketio.mjs URL
// Ends with 0 if all has gone as it must.

import assert from "node:assert/strict";
import { once } from "node:events";
import { io } from "socket.io-client";
import { patience } from "./within.mjs";

const PATIENCE = 10_000; // milliseconds for one step
const within = patience(PATIENCE);
const [url, kind] = process.argv.slice(2);
const polls = { transports: ["polling"] };
const webSockets = { transports: ["websocket"] };
const open = [];

async function connect(options = {}, namespace = "") {
  const socket = io(url + namespace, { forceNew: true, reconnection: false, ...options });
  open.push(socket);
  await within(
    new Promise((resolve, reject) => {
      socket.on("connect", resolve);
      socket.on("connect_error", reject);
    }),
    "connect",
  );
  return socket;
}

const ask = (socket, ...event) => within(socket.emitWithAck(...event), event[0]);
const next = (socket, event) => within(once(socket, event), event);

async function everything(options) {
  const socket = await connect({ ...options, auth: { name: "ada" } });
  assert.deepEqual(await ask(socket, "echo", "text"), "text");
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const echoed = next(socket, "echo");
  const [text, object] = await ask(socket, "echo", "ä", { bytes, list: [1, null, { a: bytes }] });
  assert.equal(text, "ä");
  assert.ok(bytes.equals(object.bytes) && bytes.equals(object.list[2].a));
  const [text2, object2] = await echoed;
  assert.equal(text2, "ä");
  assert.ok(bytes.equals(object2.list[2].a));

  const numbers = [];
  socket.on("echo", (number) => numbers.push(number));
  const last = Array.from({ length: 200 }, (_, number) => ask(socket, "echo", number)).at(-1);
  assert.equal(await last, 199);
  assert.deepEqual(numbers, Array.from({ length: 200 }, (_, number) => number));

  const gone = next(socket, "disconnect");
  socket.emit("leave");
  assert.deepEqual((await gone)[0], "io server disconnect");
}

await everything(polls);
if (kind !== "polling") {
  await everything(webSockets);
  await everything({});
}

// Namespaces share a connection.
const first = await connect();
const other = io(`${url}/other`, { forceNew: false, reconnection: false });
open.push(other);
await next(other, "connect");
assert.deepEqual(await ask(other, "echo", 1), { namespace: "/other", data: 1 });
await assert.rejects(connect({}, "/nowhere"), /./);
await assert.rejects(connect({ auth: { manners: false } }), /no manners/);

// Rooms and broadcasts reach polling and WebSocket alike, text and bytes.
const mixed = [await connect(polls), await connect(kind === "polling" ? polls : webSockets), await connect()];
for (const socket of mixed) {
  socket.emit("join", "room");
  await ask(socket, "echo", "joined");
}
for (const data of ["hello", Buffer.from([0, 255])]) {
  const told = mixed.slice(1).map((socket) => next(socket, "told"));
  mixed[0].emit("tell", "room", data);
  for (const [got] of await Promise.all(told)) assert.deepEqual(got, data);
  const shouted = [...mixed, first].map((socket) => next(socket, "shouted"));
  mixed[1].emit("shout", data);
  for (const [got] of await Promise.all(shouted)) assert.deepEqual(got, data);
}
assert.equal(await ask(mixed[0], "transport"), "polling");
assert.equal(await ask(mixed[1], "transport"), kind === "polling" ? "polling" : "websocket");

// A connection that breaks comes back.
const brave = await connect({ reconnection: true, reconnectionDelay: 50 });
const back = next(brave, "connect");
brave.io.engine.close();
await back;
assert.equal(await ask(brave, "echo", "back"), "back");

// The admin namespace of the instrumentation shows who is there.
const admin = await connect({}, "/admin");
const [sockets] = await next(admin, "all_sockets");
assert.ok(sockets.some((socket) => socket.id === mixed[0].id && socket.rooms.includes("room")));
const [stats] = await next(admin, "server_stats");
assert.ok(stats.clientsCount >= 5 && stats.pollingClientsCount >= 1);

for (const socket of open) socket.disconnect();
console.log("done");

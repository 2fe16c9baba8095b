// Runs one scenario of npm's engine.io-client against a server: node client.mjs URL SCENARIO
// Prints what happens as lines of JSON. Ends with 0 if the scenario has gone as it must, else with 1.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Socket } from "engine.io-client";
import { patience } from "./within.mjs";

const LIMIT = 1_000_000; // the server's max_http_buffer_size
const PATIENCE = 15_000; // milliseconds for one step
const within = patience(PATIENCE);

const [url, scenario] = process.argv.slice(2);

function say(event, more = {}) {
  console.log(JSON.stringify({ event, ...more }));
}

/** A client that keeps everything it gets. */
class Client {
  constructor(transports) {
    this.received = [];
    this.upgraded = false;
    this.waiting = () => {};
    this.socket = new Socket(url, transports ? { transports } : {});
    this.socket.on("message", (data) => {
      this.received.push(data ?? ""); // an empty text comes out of the client's parser as undefined
      this.waiting();
    });
    this.socket.on("upgrade", () => {
      this.upgraded = true;
    });
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
    this.opening = new Promise((resolve, reject) => {
      this.socket.on("open", () => resolve(this));
      this.socket.on("error", reject);
    });
    this.opening.catch(() => {});
  }

  static async open(transports) {
    const client = new Client(transports);
    await within(client.opening, "open");
    say("open", { sid: client.socket.id, transport: client.transport });
    return client;
  }

  get transport() {
    return this.socket.transport.name;
  }

  send(...messages) {
    for (const message of messages) this.socket.send(message);
  }

  async receive(count) {
    const all = new Promise((resolve) => {
      this.waiting = () => this.received.length >= count && resolve();
      this.waiting();
    });
    await within(all, `${count} messages, of which ${this.received.length} are here,`);
    return this.received;
  }

  async becomesWebSocket() {
    if (!this.upgraded) await within(new Promise((resolve) => this.socket.once("upgrade", resolve)), "upgrade");
    say("upgrade", { transport: this.transport });
    assert.equal(this.transport, "websocket");
  }

  async close() {
    this.socket.close();
    say("close", { reason: await within(this.closed, "close") });
  }
}

function numbered(from, to) {
  return Array.from({ length: to - from }, (_, i) => `message number ${from + i}`);
}

async function exchangeTexts(transports) {
  const client = await Client.open(transports);
  const sent = [...numbered(0, 50), "ünïcödé \u{1f600}", ""];
  client.send(...sent);
  assert.deepEqual(await client.receive(sent.length), sent);
  assert.deepEqual([client.transport], transports);
  await client.close();
}

async function exchangeBinary(transports) {
  const client = await Client.open(transports);
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
  client.send("before", bytes, "between", new Uint8Array([0, 30, 255]), Buffer.alloc(0), "after");
  const [before, first, between, second, empty, after] = await client.receive(6);
  assert.deepEqual([before, between, after], ["before", "between", "after"]);
  assert.deepEqual(Buffer.from(first), bytes);
  assert.deepEqual(Buffer.from(second), Buffer.from([0, 30, 255]));
  assert.equal(Buffer.from(empty).length, 0);
  await client.close();
}

async function exchangeLarge(transports, binarySize) {
  const client = await Client.open(transports);
  const text = "syncio ".repeat(LIMIT / 7 + 1).slice(0, LIMIT - 1); // the packet's type is one byte more
  const binary = Buffer.alloc(binarySize, "binary");
  client.send(text);
  assert.equal((await client.receive(1))[0], text);
  client.send(binary);
  assert.ok(Buffer.from((await client.receive(2))[1]).equals(binary));
  await client.close();
}

async function upgrade() {
  const client = await Client.open();
  assert.equal(client.transport, "polling");
  let count = 0;
  for (; !client.upgraded && count < 2000; count++) {
    client.send(...numbered(count, count + 1));
    await sleep(1);
  }
  await client.becomesWebSocket();
  client.send(...numbered(count, count + 50));
  assert.deepEqual(await client.receive(count + 50), numbered(0, count + 50));
  await client.close();
}

async function staysOnPolling() {
  const client = await Client.open();
  client.send(...numbered(0, 20));
  assert.deepEqual(await client.receive(20), numbered(0, 20));
  await sleep(300);
  assert.equal(client.upgraded, false);
  assert.equal(client.transport, "polling");
  await client.close();
}

async function reconnect() {
  const sids = new Set();
  for (let round = 0; round < 3; round++) {
    const client = await Client.open();
    sids.add(client.socket.id);
    client.send("hello");
    assert.deepEqual(await client.receive(1), ["hello"]);
    await client.close();
  }
  assert.equal(sids.size, 3);
}

async function surviveRestart() {
  const first = await Client.open();
  first.send("hello");
  await first.receive(1);
  say("ready");
  say("close", { reason: await within(first.closed, "the server's end") });
  const until = Date.now() + PATIENCE;
  let second;
  while (!second) {
    second = await Client.open().catch(() => sleep(50));
    assert.ok(second || Date.now() < until, "the server has not come back");
  }
  assert.notEqual(second.socket.id, first.socket.id);
  second.send("hello again");
  assert.deepEqual(await second.receive(1), ["hello again"]);
  await second.close();
}

const SCENARIOS = {
  polling: () => exchangeTexts(["polling"]),
  websocket: () => exchangeTexts(["websocket"]),
  "binary-polling": () => exchangeBinary(["polling"]),
  "binary-websocket": () => exchangeBinary(["websocket"]),
  "large-polling": () => exchangeLarge(["polling"], 749_997), // becomes 999,996 characters of base64 and a "b"
  "large-websocket": () => exchangeLarge(["websocket"], LIMIT),
  upgrade,
  "stays-on-polling": staysOnPolling,
  reconnect,
  restart: surviveRestart,
};

try {
  assert.ok(scenario in SCENARIOS, `there is no scenario ${scenario}`);
  await SCENARIOS[scenario]();
  say("done");
  process.exit(0);
} catch (error) {
  say("failed", { error: String(error.stack ?? error).slice(0, 2000) });
  process.exit(1);
}

/**
 * A small Engine.IO version 4 client for browsers: long polling, WebSocket, and the upgrade from one to the other.
 * It has no dependencies. Times are milliseconds.
 *
 *     import { Socket } from "/engine.io/syncio-client.js";
 *     const socket = new Socket({ reconnect: true });
 *     socket.on("open", () => socket.send("hello"));
 *     socket.on("message", (data) => console.log(data));   // a string or an ArrayBuffer
 *
 * Events, each with one argument:
 *   open          {sid, transport, upgrades, pingInterval, pingTimeout, maxPayload}
 *   message       string or ArrayBuffer
 *   upgrading     {to}                   polling stops for the WebSocket
 *   upgrade       {to}                   everything goes over the WebSocket from here on
 *   upgradeError  {reason}               the WebSocket does not work; polling goes on
 *   close         {reason, willReconnect}
 *   reconnecting  {attempt, delay}       before each wait
 */

const SEPARATOR = "\x1e";
const [CLOSE, PING, PONG, MESSAGE, UPGRADE] = ["1", "2", "3", "4", "5"];
// The first and the longest wait, its growth from one attempt to the next, and how much of it is left to chance.
const BACK_OFF = { first: 500, most: 15000, factor: 2, jitter: 0.5 };
const encoder = new TextEncoder();
const toBase64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;

/** One connection, and those that follow it when it breaks. */
export class Socket {
  state = "closed"; // closed, opening, open, closing
  transport = null; // "polling" or "websocket" while open or opening
  sid = null;
  #options; #handlers = new Map(); #queue = []; #handshake = {};
  #ws = null; #probe = null; #requests = null; #posting = false; #paused = false; #parked = null;
  #silence = 0; #later = 0; #retry = 0; #attempt = 0;

  /**
   * @param {string} [options.url]  where the server is; the page's own origin by default
   * @param {string} [options.path]  "/engine.io/"
   * @param {string[]} [options.transports]  ["polling", "websocket"], or one of them alone
   * @param {boolean|object} [options.reconnect]  true, or {first, most, factor, jitter} of the waits between attempts
   * @param {number} [options.upgradeAfter]  how long polling is kept before the upgrade; 0
   */
  constructor({ url = location.origin, path = "/engine.io/", transports = ["polling", "websocket"], reconnect,
    upgradeAfter = 0 } = {}) {
    this.#options = { url: new URL(path, url), transports, upgradeAfter, backOff: reconnect && { ...BACK_OFF, ...reconnect } };
    addEventListener("pagehide", () => this.#leave());
    queueMicrotask(() => this.connect()); // after the caller has registered its handlers
  }

  /** Call `handler` at each `event`. Returns a function that ends it. */
  on(event, handler) {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Connect, if there is no connection. */
  connect() {
    if (this.state !== "closed") return;
    clearTimeout(this.#retry);
    this.state = "opening";
    this.transport = this.#options.transports[0];
    this.#requests = new AbortController();
    this.#listen();
    if (this.transport === "websocket") this.#adopt(this.#openWebSocket());
    else this.#pollForever();
  }

  /** Send a string, an ArrayBuffer or a view of one. Before the opening it waits; after the close it is refused. */
  send(data) {
    if (this.state !== "open" && this.state !== "opening") throw new Error("the socket is closed");
    const bytes = ArrayBuffer.isView(data) ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data;
    this.#enqueue(bytes instanceof ArrayBuffer ? bytes : MESSAGE + bytes);
  }

  /** Close for good: what was sent before goes out first, and no new connection follows. */
  close() {
    clearTimeout(this.#retry);
    if (this.state === "opening") return this.#end("closed by the page", false);
    if (this.state !== "open") return;
    this.state = "closing";
    clearTimeout(this.#later);
    this.#probe?.close();
    this.#enqueue(CLOSE);
    if (this.transport === "websocket") this.#end("closed by the page", false);
  }

  #emit(event, value) {
    for (const handler of this.#handlers.get(event) ?? []) {
      try { handler(value); } catch (error) { console.error(error); } // a handler's mistake ends only itself
    }
  }

  /** Handle one packet: text, or the content of a binary message. */
  #receive(packet) {
    if (this.state === "closed") return;
    this.#listen();
    if (typeof packet !== "string") return this.#emit("message", packet);
    const content = packet.slice(1);
    switch (packet[0]) {
      case "0": return this.#opened(JSON.parse(content));
      case CLOSE: return this.#end("closed by the server", true);
      case PING: return this.#enqueue(PONG + content);
      case MESSAGE: return this.#emit("message", content);
      case "6": return; // noop
      default: this.#end(`the server sent a packet of type ${packet[0]}`, true);
    }
  }

  #opened(handshake) {
    this.#handshake = handshake;
    this.sid = handshake.sid;
    this.state = "open";
    this.#attempt = 0;
    this.#listen();
    this.#emit("open", { ...handshake, transport: this.transport });
    this.#flush();
    const wanted = this.#options.transports.includes("websocket") && handshake.upgrades.includes("websocket");
    if (this.transport !== "polling" || !wanted || this.state !== "open") return;
    this.#later = setTimeout(() => this.#upgrade(), this.#options.upgradeAfter);
  }

  /** The server was heard: give it until its next ping, and as long as it says that one may be late. */
  #listen() {
    clearTimeout(this.#silence);
    const { pingInterval, pingTimeout } = this.#handshake;
    const patience = this.state === "opening" ? 20000 : pingInterval + pingTimeout;
    this.#silence = setTimeout(() => this.#end("the server is silent", true), patience);
  }

  #enqueue(packet) {
    this.#queue.push(packet);
    this.#flush();
  }

  #flush() {
    if (this.#queue.length === 0 || this.#paused || (this.state !== "open" && this.state !== "closing")) return;
    if (this.transport === "polling") return this.#post();
    for (const packet of this.#queue.splice(0)) this.#ws.send(packet);
  }

  /** The connection is over. */
  #end(reason, mayReconnect) {
    if (this.state === "closed") return;
    const willReconnect = Boolean(mayReconnect && this.state !== "closing" && this.#options.backOff);
    this.state = "closed";
    this.transport = this.sid = null;
    for (const timer of [this.#silence, this.#later]) clearTimeout(timer);
    this.#requests.abort();
    const sockets = [this.#ws, this.#probe];
    this.#ws = this.#probe = null; // so that their close events find nothing to do
    for (const ws of sockets) ws?.close();
    this.#queue = [];
    this.#paused = this.#posting = false;
    this.#resume();
    this.#emit("close", { reason, willReconnect });
    if (willReconnect && this.state === "closed") this.#reconnectLater();
  }

  #reconnectLater() {
    const { first, most, factor, jitter } = this.#options.backOff;
    const wait = Math.min(most, first * factor ** this.#attempt);
    const delay = Math.round(wait * (1 - jitter * Math.random()));
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.connect(), delay);
    this.#emit("reconnecting", { attempt: this.#attempt, delay });
  }

  /** The page goes away: tell the server, which would notice a lost poll later than a closed WebSocket. */
  #leave() {
    if (this.state !== "open" || this.transport !== "polling") return;
    fetch(this.#address("polling"), { method: "POST", body: CLOSE, keepalive: true }).catch(() => {});
  }

  #address(transport) {
    const url = new URL(this.#options.url);
    url.searchParams.set("EIO", "4");
    url.searchParams.set("transport", transport);
    if (this.sid) url.searchParams.set("sid", this.sid);
    if (transport === "websocket") url.protocol = url.protocol.replace("http", "ws");
    else url.searchParams.set("t", performance.now().toString(36)); // past every cache
    return url;
  }

  async #request(options) {
    const response = await fetch(this.#address("polling"), { ...options, signal: this.#requests.signal });
    const text = await response.text();
    if (!response.ok) throw new Error(`the server answered ${response.status}: ${text.slice(0, 200)}`);
    return text;
  }

  /** Ask for packets again and again: until the connection is over, or while it rests for an upgrade. */
  async #pollForever() {
    const own = this.#requests;
    try {
      while (!own.signal.aborted && this.transport === "polling") {
        const text = await this.#request({ method: "GET" });
        if (own.signal.aborted) return;
        for (const packet of text.split(SEPARATOR)) {
          this.#receive(packet[0] === "b" ? fromBase64(packet.slice(1)) : packet);
        }
        if (this.#paused) await new Promise((resolve) => { this.#parked = resolve; this.#carryOver(); });
      }
    } catch (error) {
      if (!own.signal.aborted) this.#end(`polling failed: ${error.message}`, true);
    }
  }

  /** Send what waits: as much at a time as the server takes, one request after the other. */
  async #post() {
    if (this.#posting) return;
    const own = this.#requests;
    this.#posting = true;
    try {
      while (this.#queue.length > 0 && !this.#paused) {
        await this.#request({ method: "POST", body: this.#nextPayload() });
        if (own.signal.aborted) return;
      }
      if (this.state === "closing" && this.#queue.length === 0) return this.#end("closed by the page", false);
    } catch (error) {
      if (!own.signal.aborted) this.#end(`sending failed: ${error.message}`, true);
      return;
    }
    this.#posting = false;
    this.#carryOver();
  }

  /** Let the polling loop look at what has become of it while it rested. */
  #resume() { this.#parked?.(); this.#parked = null; }

  #nextPayload() {
    const most = this.#handshake.maxPayload ?? Infinity;
    const parts = [];
    let size = -1; // no separator before the first
    for (let packet; (packet = this.#queue[0]) !== undefined; this.#queue.shift()) {
      const text = typeof packet === "string" ? packet : "b" + toBase64(packet);
      size += 1 + encoder.encode(text).length;
      if (size > most && parts.length > 0) break; // one that is too large alone is the server's to refuse
      parts.push(text);
    }
    return parts.join(SEPARATOR);
  }

  #openWebSocket() {
    const ws = new WebSocket(this.#address("websocket"));
    ws.binaryType = "arraybuffer";
    return ws;
  }

  /** Let a WebSocket be the connection. */
  #adopt(ws) {
    this.#ws = ws;
    ws.onmessage = (event) => { if (this.#ws === ws) this.#receive(event.data); };
    ws.onclose = (event) => {
      if (this.#ws === ws) this.#end(event.reason || `the WebSocket was closed (${event.code})`, true);
    };
  }

  /** Open a WebSocket beside polling and ask over it whether messages pass: 2probe, 3probe. */
  #upgrade() {
    const ws = (this.#probe = this.#openWebSocket());
    const fail = (reason) => {
      clearTimeout(timer);
      if (this.#probe !== ws) return;
      this.#probe = null;
      this.#paused = false;
      ws.close();
      this.#resume();
      this.#emit("upgradeError", { reason });
      this.#flush();
    };
    const timer = setTimeout(() => fail("no answer"), 10000);
    ws.onopen = () => ws.send(PING + "probe");
    ws.onclose = (event) => fail(event.reason || `the WebSocket was closed (${event.code})`);
    ws.onmessage = (event) => {
      if (event.data !== PONG + "probe") return fail("a wrong answer");
      clearTimeout(timer);
      this.#paused = true; // the server answers the waiting poll now, and then `#carryOver` goes on
      this.#emit("upgrading", { to: "websocket" });
      this.#carryOver();
    };
  }

  /** The last step, once neither a poll nor a POST is under way: "5", and what waited goes over the WebSocket. */
  #carryOver() {
    if (!this.#paused || !this.#parked || this.#posting || this.state !== "open") return;
    const ws = this.#probe;
    this.#probe = null;
    this.#paused = false;
    ws.send(UPGRADE);
    this.transport = "websocket";
    this.#adopt(ws);
    this.#resume(); // the polling loop sees the transport and ends
    this.#emit("upgrade", { to: "websocket" });
    this.#flush();
  }
}

/** The demo page: a chat over one `Socket`, and what can be seen of its connection. All text goes in as text. */

import { Plot, format } from "./plot.js";
import { Socket } from "/engine.io/syncio-client.js";

const ECHO_EVERY = 1000; // milliseconds
const UPGRADE_AFTER = 3000; // milliseconds in which polling can be seen
const MOST_SHOWN = 200; // messages, and lines of the log
const MOST_WAITING = 50; // echoes without an answer

const byId = (id) => document.getElementById(id);
const plot = new Plot(byId("plot"));
const shown = new Set(); // ids of messages
const waiting = new Map(); // number of an echo -> {sent, isMessage}
const wanted = new URLSearchParams(location.search).get("transport");
const transports = ["polling", "websocket"].includes(wanted) ? [wanted] : ["polling", "websocket"];
let [me, messages, echoes, wasOpen, greeted] = ["", 0, 0, false, false];

const socket = new Socket({ transports, reconnect: true, upgradeAfter: UPGRADE_AFTER });

// ---------------------------------------------------------------- the connection

socket.on("open", ({ sid, transport }) => {
  note(`open over ${label(transport)}, session ${sid.slice(0, 6)}…`);
  if (wasOpen) plot.mark("reconnected");
  if (greeted) happened("Connected again.");
  wasOpen = true;
  waiting.clear();
  announce("");
  showTransport();
  byId("send").disabled = false;
  send({ type: "join", name: byId("name").value || me });
  echo(false);
  if (transport !== transports.at(-1)) note(`the page keeps polling for ${UPGRADE_AFTER / 1000} s to show it, then upgrades`);
});
socket.on("upgrading", () => note("the WebSocket answers the probe; polling stops"));
socket.on("upgrade", ({ to }) => {
  note(`upgraded to ${label(to)}`, "strong");
  plot.mark("upgrade");
  showTransport();
});
socket.on("upgradeError", ({ reason }) => note(`no upgrade: ${reason}; polling goes on`, "bad"));
socket.on("close", ({ reason, willReconnect }) => {
  note(`closed: ${reason}`, "bad");
  byId("send").disabled = true;
  showTransport();
  if (wasOpen && willReconnect) announce("The connection to the server is lost. Trying to connect again …");
  if (!willReconnect) announce(`The connection is closed: ${reason}.`);
});
socket.on("reconnecting", ({ attempt, delay }) => {
  note(`attempt ${attempt} in ${(delay / 1000).toFixed(1)} s`);
  announce(`The connection to the server is lost. Attempt ${attempt} to connect again in ${(delay / 1000).toFixed(1)} s.`);
});
setInterval(() => echo(false), ECHO_EVERY);

function send(packet) {
  if (socket.state === "open") socket.send(JSON.stringify(packet));
}

/** Have the server send our clock back. */
function echo(isMessage) {
  if (socket.state !== "open") return;
  echoes += 1;
  const sent = performance.now();
  waiting.set(echoes, { sent, isMessage });
  if (waiting.size > MOST_WAITING) waiting.delete(waiting.keys().next().value);
  send({ type: "echo", n: echoes, t: sent });
}

function showTransport() {
  const { transport } = socket;
  const state = transport ?? "closed";
  byId("status").dataset.state = state;
  setText("status-text", transport ? label(transport) : "offline");
  setText("transport", transport ? label(transport) : "–");
}

// ---------------------------------------------------------------- packets of the chat

const actions = {
  welcome({ you, history, online, limits, mode }) {
    me = you;
    byId("name").value = you;
    sessionStorage.setItem("name", you);
    byId("name").maxLength = limits.name;
    byId("text").maxLength = limits.text;
    setText("online", online);
    if (!greeted) note(`the server runs on ${mode === "gevent" ? "greenlets" : "threads"}`);
    greeted = true;
    history.forEach(showMessage);
  },
  message: showMessage,
  joined({ name, online }) {
    setText("online", online);
    happened(`${name} joined`);
  },
  left({ name, online }) {
    setText("online", online);
    happened(`${name} left`);
  },
  renamed({ before, name }) {
    happened(`${before} is now ${name}`);
  },
  echo({ n }) {
    const echoed = waiting.get(n);
    if (!echoed) return;
    waiting.delete(n);
    const ms = performance.now() - echoed.sent;
    plot.add({ ms, transport: socket.transport, isMessage: echoed.isMessage });
    setText("last", format(ms));
    setText("median", format(plot.median));
  },
  problem({ text }) {
    note(text, "bad");
  },
};

socket.on("message", (data) => {
  const packet = JSON.parse(data);
  if (Object.hasOwn(actions, packet.type)) actions[packet.type](packet);
});

// ---------------------------------------------------------------- what is shown

function showMessage({ id, name, text, at }) {
  if (shown.has(id)) return; // it came with the history as well
  shown.add(id);
  messages += 1;
  setText("count", messages);
  const who = element("div", "who", element("b", "", name), clock(new Date(at * 1000)));
  append("messages", element("li", name === me ? "message mine" : "message", who, element("div", "said", text)));
}

function happened(text) {
  append("messages", element("li", "happened", text));
}

function note(text, kind = "") {
  append("log", element("li", "", clock(new Date(), true), element("span", kind, text)));
}

function announce(text) {
  byId("notice").hidden = !text;
  setText("notice", text);
}

/** Add a line to a list, keep the list short, and follow its end unless the reader has scrolled back. */
function append(id, line) {
  const list = byId(id);
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(line);
  while (list.children.length > MOST_SHOWN) list.firstChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content); // strings become text nodes, never markup
  return made;
}

function clock(date, seconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }), hourCycle: "h23" };
  const made = element("time", "", date.toLocaleTimeString([], options));
  made.dateTime = date.toISOString();
  return made;
}

function setText(id, text) {
  byId(id).textContent = String(text);
}

function label(transport) {
  return transport === "websocket" ? "WebSocket" : "polling";
}

// ---------------------------------------------------------------- what the reader does

byId("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text || socket.state !== "open") return;
  send({ type: "message", text });
  echo(true); // behind the message, so its round trip is the message's
  byId("text").value = "";
});

function rename() {
  const name = byId("name").value.trim();
  if (name && name !== me) send({ type: "join", name });
  else byId("name").value = me;
}
byId("name").addEventListener("change", rename);
byId("name-form").addEventListener("submit", (event) => {
  event.preventDefault(); // the change event follows
  byId("text").focus();
});

byId("name").value = new URLSearchParams(location.search).get("name") ?? sessionStorage.getItem("name") ?? "";
for (const link of byId("modes").children) {
  if (new URL(link.href).searchParams.get("transport") === (transports.length === 1 ? wanted : null)) {
    link.setAttribute("aria-current", "page");
  }
}

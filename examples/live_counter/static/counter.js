import { Socket } from "/engine.io/syncio-client.js";

const find = (id) => document.getElementById(id);
const socket = new Socket({ reconnect: true });

socket.on("open", () => { find("click").disabled = false; });
socket.on("close", () => { find("click").disabled = true; });
socket.on("message", (data) => {
  const { count, by } = JSON.parse(data);
  find("count").textContent = count;
  find("by").textContent = by ? `${by} clicked last` : "Nobody has clicked yet";
});
find("click").addEventListener("click", () => socket.send("click"));

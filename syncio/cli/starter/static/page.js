import { Socket } from "/engine.io/syncio-client.js";

const find = (id) => document.getElementById(id);
const socket = new Socket({ reconnect: true });

socket.on("open", () => { find("text").disabled = false; });
socket.on("close", () => { find("text").disabled = true; });
socket.on("message", (data) => {
  const { from, text } = JSON.parse(data);
  const line = document.createElement("li");
  line.textContent = `${from}: ${text}`; // as text: what people write is no markup
  find("messages").append(line);
});
find("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if (find("text").value && socket.state === "open") socket.send(find("text").value);
  find("text").value = "";
});

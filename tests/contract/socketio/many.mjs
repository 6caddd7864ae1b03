// The real client: node many.mjs FOLDER URL OPTIONS TOKEN COUNT; emits before it connects, prints what it heard as JSON.
import { createRequire } from "node:module";

const [folder, url, options, token, count] = process.argv.slice(2);
const { io } = createRequire(`${folder}/`)("socket.io-client");
const socket = io(url, { ...JSON.parse(options), auth: { token }, reconnection: false });
const heard = [];

function end(why) {
  console.log(JSON.stringify({ why, heard, transport: socket.io.engine.transport.name }));
  process.exit();
}

const { transports } = JSON.parse(options);
const upgraded = new Promise((resolve) => {
  if (transports.length === 1) resolve();
  else socket.io.engine.once("upgrade", () => resolve());
});
socket.on("disconnect", end);
socket.on("connect_error", (error) => end(error.message));
socket.on("message", async (text) => {
  heard.push(text);
  if (heard.length === Number(count)) end(await upgraded);
});
for (let i = 0; i < count; i++) socket.emit("message", `${i}`); // kept by the client until it is connected

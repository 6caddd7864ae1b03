// socket.io-client from npm: node socketio_client.mjs FOLDER URL TRANSPORTS TOKEN. client.py says what goes in and out.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, url, names, token] = process.argv.slice(2);
const { io } = createRequire(`${folder}/`)("socket.io-client");
const transports = names.split(",");
const socket = io(url, { transports, auth: { token }, reconnectionDelay: 100, reconnectionDelayMax: 200 });
const say = (line) => console.log(JSON.stringify(line));

socket.on("connect", () => {
  const { engine } = socket.io;
  if (engine.transport.name === transports.at(-1)) say({ connected: engine.transport.name });
  else engine.once("upgrade", () => say({ connected: engine.transport.name }));
});
socket.on("disconnect", (reason) => say({ lost: reason }));
socket.on("connect_error", (error) => say({ failed: error.message }));
socket.on("message", (message) => say({ heard: message.text }));
createInterface(process.stdin)
  .on("line", (text) => socket.emit("message", { text }))
  .on("close", () => process.exit());

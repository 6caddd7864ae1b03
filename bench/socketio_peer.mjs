// The original design of the socketio contract: node socketio_peer.mjs FOLDER PORT. Broadcasts in memory, stores nothing.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [folder, port] = process.argv.slice(2);
const { Server } = createRequire(`${folder}/`)("socket.io");
const http = createServer((_, answer) => answer.end("ok"));
const io = new Server(http, { cors: { origin: "*" } });

io.on("connection", (socket) => {
  socket.on("message", ({ id, author, text }) => {
    io.emit("message", { id, author, text, userId: 1, content: text, timestamp: new Date().toISOString() });
  });
});
http.listen(Number(port), "127.0.0.1");

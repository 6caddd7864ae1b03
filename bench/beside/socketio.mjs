// One room on socket.io, in memory, for whoever brings a token. node socketio.mjs FOLDER PORT
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [folder, port] = process.argv.slice(2);
const { Server } = createRequire(`${folder}/`)("socket.io");
const http = createServer((_, answer) => answer.end("ok"));
const io = new Server(http);

io.use((socket, next) => {
  socket.data.name = socket.handshake.auth.token;
  next(socket.data.name ? undefined : new Error("a token is needed"));
});
io.on("connection", (socket) => {
  socket.join("room");
  socket.on("message", ({ text }) => {
    io.to("room").emit("message", { text, sender: socket.data.name, at: new Date().toISOString() });
  });
});
http.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });

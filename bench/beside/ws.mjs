// One room on the library ws, in memory: every message goes to everybody as it came. node ws.mjs FOLDER PORT
import { createRequire } from "node:module";

const [folder, port] = process.argv.slice(2);
const { WebSocketServer, WebSocket } = createRequire(`${folder}/`)("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), backlog: 4096, perMessageDeflate: false });

server.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    for (const member of server.clients) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
    }
  });
});

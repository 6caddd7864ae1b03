// The real client: node client.mjs FOLDER URL TRANSPORTS TOKEN OTHERS_TOKEN; prints what was heard as JSON.
import { createRequire } from "node:module";

const [folder, url, names, token, othersToken] = process.argv.slice(2);
const { io } = createRequire(`${folder}/`)("socket.io-client");
const transports = names.split(",");
const BURST = 300;

const options = { transports, forceNew: true, reconnection: false };
const within = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} did not come`)), 15000).unref()),
  ]);
const next = (socket, event) => within(new Promise((resolve) => socket.once(event, resolve)), event);

async function refused(auth) {
  const socket = io(url, { ...options, auth });
  const error = await next(socket, "connect_error");
  const found = [error.message, socket.connected];
  socket.close();
  return found;
}

async function entered(more) {
  const socket = io(url, { ...options, ...more });
  const heard = [];
  const waits = [];
  socket.on("message", (data) => {
    heard.push(data);
    for (const wait of waits) if (heard.length >= wait.count) wait.resolve();
  });
  const count = (count) =>
    within(
      new Promise((resolve) => (heard.length >= count ? resolve() : waits.push({ count, resolve }))),
      `message ${count}`,
    );
  const upgraded =
    transports.length > 1 ? new Promise((resolve) => socket.io.engine.once("upgrade", resolve)) : Promise.resolve();
  await next(socket, "connect");
  return { socket, heard, count, upgraded };
}

const refusals = [await refused(undefined), await refused({ token: "bad" })];
const other = await entered({ transports: ["websocket"], auth: { token: othersToken } });
const one = await entered({ auth: { token } });

one.socket.emit("message", { userId: 0, content: "the document's" });
one.socket.emit("message", { id: "a-1", author: "somebody", text: "the front end's" });
one.socket.emit("message", "a plain string");
for (let i = 0; i < BURST; i++) {
  (i % 2 ? one : other).socket.emit("message", { id: i, text: `burst ${i}` }); // while it is being upgraded
  if (i % 10 === 0) await new Promise(setImmediate);
}
await within(one.upgraded, "the upgrade");
await within(Promise.all([one, other].map(({ count }) => count(BURST + 3))), "the burst");
const ack = await within(one.socket.emitWithAck("message", "acknowledged"), "the acknowledgement");
await Promise.all([one, other].map(({ count }) => count(BURST + 4)));
const found = {
  refusals,
  ack: ack ?? null,
  transport: one.socket.io.engine.transport.name,
  one: one.heard,
  other: other.heard,
};
one.socket.close();
other.socket.close();
console.log(JSON.stringify(found));

// Talks to tests/conformance/socketio_server.py as an unchanged client would: node socketio_client.mjs URL
import { io } from "socket.io-client";

const url = process.argv[2];
const modes = {
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
  websocket: ["websocket"],
};

function expect(found, wanted, what) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: ${JSON.stringify(found)?.slice(0, 200)} instead of ${JSON.stringify(wanted).slice(0, 200)}`);
  }
}

function within(promise, what) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${what} did not come`)), 8000).unref());
  return Promise.race([promise, late]);
}

const next = (socket, event) => within(new Promise((resolve) => socket.once(event, (...data) => resolve(data))), event);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function talk(transports, hear) {
  const socket = io(url, { transports, auth: { token: "123" }, forceNew: true, reconnection: false });
  const got = [];
  socket.on("message-back", (number) => got.push(number));
  const auth = next(socket, "auth");
  const upgraded = transports.length > 1 ? new Promise((resolve) => socket.io.engine.once("upgrade", resolve)) : null;
  await next(socket, "connect");
  expect(await auth, [{ token: "123" }], "auth");

  // Numbers in single steps and in bursts, on both sides of the upgrade and during it.
  let sent = 0;
  for (let step = 0; step < 60; step++) {
    for (let burst = 0; burst < (step % 7 ? 1 : 20); burst++) socket.emit("message", sent++);
    await sleep(2);
  }
  if (upgraded) await within(upgraded, "upgrade");
  for (let burst = 0; burst < 300; burst++) socket.emit("message", sent++);
  expect(await within(socket.emitWithAck("message-with-ack", "done"), "ack"), "done", "ack");
  while (got.length < sent) await within(new Promise((resolve) => socket.once("message-back", resolve)), "an echo");
  expect(got, [...Array(sent).keys()], "echoes");
  hear(socket.io.engine.transport.name, transports.at(-1), "transport");

  const big = "ж".repeat(200_000);
  expect(await within(socket.emitWithAck("message-with-ack", big), "big ack"), big, "big");
  const bytes = await within(socket.emitWithAck("message-with-ack", Buffer.from([1, 2, 3])), "binary ack");
  expect([...bytes], [1, 2, 3], "binary");

  const custom = io(`${url}/custom`, { transports, forceNew: false, reconnection: false });
  expect(await next(custom, "auth"), [{}], "auth of a namespace");
  custom.close();
  const unknown = io(`${url}/unknown`, { transports, forceNew: true, reconnection: false });
  const [error] = await next(unknown, "connect_error");
  expect(error.message, "Invalid namespace", "connect_error");
  unknown.close();

  await sleep(700); // two pings and more
  expect(socket.connected, true, "still connected");
  socket.close();
}

let failed = 0;
for (const [name, transports] of Object.entries(modes)) {
  try {
    await talk(transports, expect);
    console.log(`${name}: passed`);
  } catch (error) {
    failed++;
    console.log(`${name}: ${error.message}`);
  }
}
console.log(`${Object.keys(modes).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

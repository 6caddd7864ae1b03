// Does with @veche/client what a test says: see driven.py. One JSON object on each line, in and out.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Client } = await import(pathToFileURL(process.argv[2]).href);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const { url, token, saved, tokens, refresh_token: refreshToken } = await next();
const refreshed = (found) => say({ on: "refreshed", value: found });
const signIn = async (reason) => {
  say({ on: "asked", value: reason });
  return tokens.shift() ?? null;
};
const client = new Client({ url, token, saved, signIn, refreshToken, refreshed });
const failed = ({ outgoing, error: { code } }) => ({ outgoing, code });
const ofRooms = "message edited deleted reacted pinned joined left role banned unbanned invited uninvited owner updated renamed";
const others = "event me rooms gone reset caught_up status stored push stopped";
for (const name of `${ofRooms} ${others}`.split(" ")) {
  client.on(name, (value) => say({ on: name, value: value ?? null }));
}
client.on("failed", (value) => say({ on: "failed", value: failed(value) }));

const deeds = {
  saved: () => client.saved,
  enqueue: (...words) => client.enqueue(...words).id,
  rest: (name, ...words) => client.rest[name](...words),
  set_token: (token) => client.setToken(token),
  set_role: (...words) => client.setRole(...words),
};

client.start();
for await (const line of lines) {
  const { call, name, args } = JSON.parse(line);
  Promise.resolve()
    .then(() => (deeds[name] ?? client[name].bind(client))(...args))
    .then((result) => result?.stored ?? result)
    .then(
      (result) => say({ call, result: result ?? null }),
      ({ code, message }) => say({ call, error: code ?? message }),
    );
}
process.exit();

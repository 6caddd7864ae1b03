// The messages that are sent and not in the log yet. A message is `sending`, then `sent` (the server has stored it), or
// `failed`. With its event from the log it leaves the outbox.

import { command, link } from "./connection.js";
import { isIn, isMine, state } from "./state.js";
import { render } from "./view.js";

export const NOT_IN = "you are not in this room";

/** Puts a message into the outbox. It is sent again until it is answered, always with the same id: see `sendWaiting`. */
export function enqueue(room_id, text) {
  const client_message_id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  state.outbox.push({ client_message_id, room_id, text, at: new Date().toISOString(), state: "sending" });
}

/** Sends the waiting messages in order. Each is sent when the one before it has its answer. */
export async function sendWaiting() {
  const current = link;
  const canBeSent = ({ state: phase, room_id }) => phase === "sending" && isIn(state.rooms.get(room_id));
  const message = state.outbox.find(canBeSent);
  if (!message || !current?.ready || current.sending) return;
  current.sending = message;
  const { room_id, text, client_message_id } = message;
  try {
    const { seq } = await command("send", { room_id, text, client_message_id });
    message.state = "sent";
    if (seq <= state.rooms.get(room_id)?.position) dequeue(client_message_id); // its event came before this answer
  } catch (refusal) {
    if (current !== link) return; // sent again after reconnecting, with the same client_message_id
    if (refusal.code === "unauthenticated") return; // the session has ended: sent in the next one
    if (refusal.temporary) await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 1000));
    else fail(message, refusal.message);
  }
  current.sending = null;
  render();
  if (current === link) sendWaiting();
}

/** Gives up a message whose frame was too big for the server: it would close each new connection, too. */
export function failIfTooBig(code) {
  if (code === 1009 && link.sending) fail(link.sending, "too long");
}

/** Marks the waiting messages of a room as failed. */
export function failWaiting(room_id, problem) {
  for (const waiting of state.outbox) {
    if (waiting.room_id === room_id && waiting.state === "sending") fail(waiting, problem);
  }
}

function fail(message, problem) {
  message.state = "failed";
  message.problem = problem;
}

/** Adds a message to its room's log, and removes it from the outbox. A page may be older than what is shown. */
export function store(room, message) {
  const known = room.log.messages.get(message.seq);
  if ((known?.revision ?? 0) <= (message.revision ?? 0)) room.log.messages.set(message.seq, message);
  if (isMine(message)) dequeue(message.client_message_id);
}

function dequeue(id) {
  state.outbox = state.outbox.filter((waiting) => waiting.client_message_id !== id);
}

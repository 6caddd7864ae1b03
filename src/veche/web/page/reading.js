// Reading a room: loading its messages, and marking them as read when the end of its log is in view.

import { api } from "./api.js";
import { command, link } from "./connection.js";
import { store } from "./outbox.js";
import { isIn, isMine, isSeen, openRoom, state } from "./state.js";
import { render, showProblem } from "./view.js";

const READ_DELAY_MS = 500;
const MAX_MESSAGES = 2_000; // of one room in memory

/** Loads the history of the open room if needed, and marks its messages as read if the end of the log is in view. */
export function onRoomVisible() {
  const room = openRoom();
  if (!isIn(room) || !link?.ready) return;
  if (!room.log.loaded) loadHistory(room);
  if (!isSeen(room)) return;
  room.unread = 0;
  room.seen = room.position;
  room.reading ||= setTimeout(markRead, READ_DELAY_MS, room);
}

function markRead(room) {
  room.reading = 0;
  if (!link?.ready || room.read >= room.seen) return;
  room.read = room.seen;
  command("read", { room_id: room.id, seq: room.seen }).catch(() => {});
}

/** Counts what is new after the account has read a room up to `seq` on another device. */
export function onReadElsewhere({ room_id, seq }) {
  const room = state.rooms.get(room_id);
  if (!room || seq <= room.read) return;
  room.read = seq;
  room.unread = [...room.log.messages.values()].filter((message) => message.seq > seq && !isMine(message)).length;
}

/** Loads messages: the newest ones at first, afterwards the ones before the oldest that is in memory. */
export async function loadHistory(room) {
  const { log } = room;
  if (log.loading) return;
  log.loading = true;
  const before = log.loaded ? `?before_seq=${Math.min(...log.messages.keys())}` : "";
  try {
    const page = await api("GET", `/v1/rooms/${room.id}/messages${before}`);
    if (log !== room.log || !state.rooms.has(room.id)) return; // the log was reset while this request ran
    page.items.forEach((message) => store(room, message));
    log.earlier = page.has_more_before;
    log.loaded = true;
  } catch (refusal) {
    if (refusal.code !== "unreachable" && state.token) showProblem(refusal.message);
  } finally {
    log.loading = false;
    render();
  }
}

/** Takes a new message. */
export function onMessage(room, message) {
  store(room, message);
  if (room.id !== state.open || state.atEnd) trim(room.log);
  if (isSeen(room)) onRoomVisible();
  else if (!isMine(message) && message.seq > room.read) room.unread += 1;
}

/** Shows another text of a message, if the page has the message. */
export function onEdited(room, message) {
  if (room.log.messages.has(message.seq)) store(room, message);
}

/** Shows that a message is deleted. One that was not read yet is not new any more. */
export function onDeleted(room, { message_seq, revision, by_id }) {
  const message = room.log.messages.get(message_seq);
  if (message) store(room, { ...message, text: "", revision, deleted_by_id: by_id });
  if (message_seq > room.read && room.unread && !(message && isMine(message))) room.unread -= 1;
}

/** Drops the older half of a log that has grown too long. "Earlier messages" loads it again. */
function trim(log) {
  if (log.messages.size <= MAX_MESSAGES || log.loading) return;
  const seqs = [...log.messages.keys()].sort((a, b) => a - b);
  for (const seq of seqs.slice(0, MAX_MESSAGES / 2)) log.messages.delete(seq);
  log.earlier = true;
}

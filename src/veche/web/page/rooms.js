// The rooms: which of them the account is in, and which public rooms it could join.

import { allPages, api } from "./api.js";
import { command, link } from "./connection.js";
import { failWaiting, NOT_IN, sendWaiting } from "./outbox.js";
import { onRoomVisible } from "./reading.js";
import { addRoom, emptyLog, isIn, isOutside, LOBBY, open, openRoom, setReadPointer, state } from "./state.js";
import { render, showProblem } from "./view.js";

/** Begins to follow a room, and sends what has waited for it. `head` is the seq of its last entry. */
export function startRoom(room, head) {
  if (room.position !== null) return;
  room.head = head;
  room.position = Math.min(head, state.early.get(room.id) ?? head);
  room.log = emptyLog();
  if (room.id === state.open) onRoomVisible();
  sendWaiting();
}

/** Adds a room that the account has just entered, as the server shows it, and begins to follow it. */
export function enterRoom(data) {
  const room = addRoom(data);
  startRoom(room, data.head_seq);
  return room;
}

/** Ends following a room, because the account is not in it any more. */
export function endRoom(room) {
  if (!room) return;
  room.position = null;
  room.unread = 0;
  failWaiting(room.id, NOT_IN);
  if (room.kind === "group" || room.kind === "direct") state.rooms.delete(room.id);
  if (room.id === state.open) open(state.rooms.get(LOBBY));
}

/** Begins the log of a room again, because the server does not send all that is missing. */
export async function resetRoom(room, seq) {
  if (!room) return;
  room.position = room.head = seq;
  room.log = emptyLog();
  if (room.id === state.open) onRoomVisible();
  const { log } = room;
  const data = await api("GET", `/v1/rooms/${room.id}`).catch(() => null);
  if (data && log === room.log && room.id !== state.open) setReadPointer(room, data);
  render();
}

/** Gives up what was kept of a room that the account is not in any more. */
export function dropHopeless() {
  const room = openRoom();
  if (isOutside(room) && room.kind !== "channel") endRoom(room);
  for (const { room_id } of [...state.outbox]) {
    if (room_id !== LOBBY && !isIn(state.rooms.get(room_id))) failWaiting(room_id, NOT_IN);
  }
}

/** Leaves the open room. The event of it, in the account's own log, removes the room from the page. */
export async function leaveOpenRoom() {
  const room = openRoom();
  const question = `Leave ${room.name}? Only its owner can let you in again.`;
  if (room.kind === "group" && !confirm(question)) return;
  if (!link?.ready) return showProblem("The server cannot be reached.");
  try {
    await command("leave", { room_id: room.id });
  } catch (refusal) {
    if (refusal.code !== "lost") showProblem(refusal.message);
  }
}

/** Looks for new public rooms: the server does not announce them. */
export async function lookForRooms() {
  if (!link?.ready || document.hidden) return;
  const { token } = state;
  const rooms = await allPages("/v1/rooms/public").catch(() => []);
  if (token !== state.token) return;
  rooms.forEach(addRoom);
  render();
}

// Hello, join and sync: the page tells the server its position in each log, and the server sends what is missing.
// The status is "caught up" when nothing is missing any more.

import { allPages } from "./api.js";
import { command, forgetFailures, link, lose } from "./connection.js";
import { loadInvitations } from "./invitations.js";
import { failWaiting, sendWaiting } from "./outbox.js";
import { onRoomVisible } from "./reading.js";
import { dropHopeless, lookForRooms, startRoom } from "./rooms.js";
import { addRoom, behind, isBehind, LOBBY, state, subscribed } from "./state.js";
import { render, showProblem } from "./view.js";

const MAX_SYNC_ROOMS = 1_000;

const positionsOf = (rooms) => ({
  rooms: Object.fromEntries(rooms.map((room) => [room.id, room.position])),
  me: state.own.position,
});

export async function sendHello() {
  const current = link;
  addPending(+1);
  state.status = "connecting";
  render();
  try {
    const answer = await command("hello", { token: state.token, epoch: state.epoch, ...positionsOf(subscribed()) });
    state.epoch = answer.epoch;
    state.me = answer.me;
    state.own.head = state.own.past = answer.me.seq;
    state.own.position ??= answer.me.seq;
    for (const data of answer.rooms) resumeRoom(data);
    if (state.rooms.get(LOBBY).position === null) join(state.rooms.get(LOBBY));
    current.ready = true;
    settle(current, Boolean(answer.rooms_cursor));
    onRoomVisible();
    sendWaiting();
    lookForRooms();
    loadInvitations();
  } catch (refusal) {
    if (current !== link) return;
    current.bye.reason ??= refusal.code;
    lose(refusal.code === "unauthenticated" ? 4001 : refusal.temporary ? null : 4000);
  }
}

function resumeRoom(data) {
  const room = addRoom(data);
  room.head = data.head_seq;
  if (room.kind !== "lobby") startRoom(room, data.head_seq); // the lobby is subscribed by `join`
}

/** Loads the rooms that the answer to hello did not hold; their events come anyway. Then all rooms are known. */
async function settle(current, hasMore) {
  addPending(+1);
  const rooms = hasMore ? await allPages("/v1/rooms").catch(() => null) : [];
  if (current !== link) return;
  if (rooms === null) return lose(null);
  rooms.forEach(resumeRoom);
  state.settled = true;
  state.early.clear();
  dropHopeless();
  addPending(-1);
  render();
}

/** Joins a public room. The lobby is joined on each connection, unless hello has named it. */
export async function join(room) {
  const current = link;
  addPending(+1);
  try {
    const { head_seq } = await command("join", { room_id: room.id });
    startRoom(room, head_seq);
  } catch (refusal) {
    if (current !== link || refusal.code === "unauthenticated") return; // the next hello joins the lobby again
    if (refusal.temporary && room.id === LOBBY) return lose(null);
    failWaiting(room.id, refusal.message);
    showProblem(refusal.message);
  }
  addPending(-1);
}

/** Asks for missing entries, after a gap in a log. */
async function sync(current) {
  if (current !== link) return;
  addPending(+1);
  state.status = "connecting";
  const asked = positionsOf(behind().slice(0, MAX_SYNC_ROOMS));
  await command("sync", asked).catch(() => current === link && lose(null));
}

/** Counts answers until the page has caught up: a `caught_up` for each hello or sync, and an answer for each join. */
function addPending(step) {
  link.pending += step;
  if (link.pending > 0) return;
  if (isBehind()) return void setTimeout(sync, 1000, link);
  state.status = "caught up";
  forgetFailures();
}

export function onCaughtUp() {
  addPending(-1);
}

/** Whether an event is the next of its log. If it is, moves the position; if it is a later one, asks for the gap. */
export function isNext(log, seq) {
  if (!(seq > log.position)) return false;
  log.head = Math.max(log.head, seq);
  if (seq > log.position + 1) {
    if (link.pending === 0) sync(link);
    return false;
  }
  log.position = seq;
  return true;
}

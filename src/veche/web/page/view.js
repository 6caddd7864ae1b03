// The view: shows the state, and keeps what a reload must not lose. Everybody who changes the state calls `render`.

import { $, arrange, write } from "./dom.js";
import { keepTab } from "./keep.js";
import { withLinks } from "./links.js";
import { isIn, isMine, isOutside, LOBBY, openRoom, state } from "./state.js";

export const NEAR_PX = 80; // so near the end of the log, its newest messages count as seen

let painting = 0;
let shown = {}; // the room and the first message of the last painting, and where its log is scrolled to

/** The room whose draft is in the field for the next message. */
export let composing = null;

/** Shows the state soon: once, however often it is called before. */
export function render() {
  painting ||= setTimeout(paint);
}

export function showProblem(problem) {
  state.problem = problem;
  render();
}

/** Shows the state at once. */
export function paint() {
  painting = 0;
  const inside = state.token !== null;
  $("sign-in").hidden = inside;
  $("chat").hidden = !inside;
  write($(inside ? "problem" : "sign-in-problem"), state.problem);
  document.title = "Veche";
  if (!inside) return clear();
  write($("status"), state.status);
  $("status").dataset.now = state.status;
  write($("whoami"), [nameOf(state.me), handleOf(state.me)].join(" ").trim());
  paintInvitations();
  paintPeople();
  paintRooms();
  paintOpenRoom();
  paintMessages();
  keep();
}

function clear() {
  for (const id of ["invitation-list", "found", "rooms", "messages"]) $(id).replaceChildren();
  for (const id of ["message", "room-name", "people"]) $(id).value = "";
  composing = null;
}

/** Keeps what a reload must not lose. A message that is stored already is not kept: the log has it. */
export function keep() {
  if (!state.token) return;
  const { id, kind, name } = openRoom();
  const outbox = state.outbox.filter((waiting) => waiting.state !== "sent");
  keepTab({ account: state.me.id, open: { id, kind, name }, drafts: [...state.drafts], outbox });
}

// Names.

const nameOf = (person) => person.name || person.username;

/** The username, to stand beside a name that its owner chose and that may be anybody's. */
const handleOf = (person) => (person.username && nameOf(person) !== person.username ? `@${person.username}` : "");

/** The username of the other person of a direct room: the room's name may be any name that they chose. */
const peerOf = ({ name, peer }) => (peer ? handleOf({ name, username: peer.username }) : "");

const newIn = (room) => (room.unread ? `${room.unread} new` : "");

// Invitations.

function paintInvitations() {
  const invitations = [...state.invitations.values()];
  $("invitations").hidden = !invitations.length;
  arrange($("invitation-list"), invitations, ({ room }) => String(room.id), $("invitation-template"), fillInvitation);
}

function fillInvitation(node, { room, by, message }) {
  const from = [nameOf(by), handleOf(by)].join(" ").trim();
  const isDirect = room.kind === "direct";
  write(node.querySelector(".room-name"), isDirect ? from : room.name);
  write(node.querySelector(".by"), isDirect ? "wants to talk to you" : `from ${from}`);
  write(node.querySelector(".first"), message?.text ?? "");
}

// People.

function paintPeople() {
  const { kind, name } = openRoom();
  const label = isIn(openRoom()) && ["group", "channel"].includes(kind) ? `Invite to ${name}` : "";
  arrange($("found"), state.found, ({ id }) => String(id), $("person-template"), (node, person) => {
    write(node.querySelector(".person-name"), nameOf(person));
    write(node.querySelector(".handle"), handleOf(person));
    const button = node.querySelector("[value=invite]");
    button.hidden = !label;
    write(button, label);
  });
}

// Rooms.

function paintRooms() {
  const rank = (room) => (room.id === LOBBY ? 0 : isOutside(room) ? 2 : 1);
  const rooms = [...state.rooms.values()].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
  if (unread) document.title = `(${unread}) Veche`;
  arrange($("rooms"), rooms, (room) => String(room.id), $("room-template"), fillRoom);
}

function fillRoom(node, room) {
  const button = node.firstElementChild;
  if (room.id !== state.open) button.removeAttribute("aria-current");
  else if (!button.hasAttribute("aria-current")) {
    button.setAttribute("aria-current", "true");
    button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  button.dataset.kind = isOutside(room) ? "outside" : room.kind;
  write(button.querySelector(".room-name"), room.name);
  write(button.querySelector(".handle"), peerOf(room));
  write(button.querySelector(".room-mark"), isOutside(room) ? "join" : newIn(room));
}

/** Whether the end of the log is in view. */
export function isNearEnd() {
  const frame = $("log-frame");
  return frame.scrollHeight - frame.scrollTop - frame.clientHeight < NEAR_PX;
}

/** Notes where the log is scrolled to, so that a painting knows a scroll whose event has not come yet. */
export function noteScroll() {
  shown.top = $("log-frame").scrollTop;
}

function paintOpenRoom() {
  const room = openRoom();
  write($("room-title"), room.name);
  write($("room-handle"), peerOf(room));
  $("leave").hidden = !isIn(room) || room.kind === "lobby" || room.kind === "direct";
  $("outside").hidden = !isOutside(room);
  $("composer").hidden = isOutside(room);
  if (composing === room) return;
  composing = room;
  $("message").value = state.drafts.get(room.id) ?? "";
}

// Messages.

/** The key does not change when a sent message arrives in the log, so the message keeps its node. */
const keyOf = (message) =>
  isMine(message) && message.client_message_id ? `mine ${message.client_message_id}` : `seq ${message.seq}`;

function paintMessages() {
  const room = openRoom();
  const { log } = room;
  const waiting = state.outbox.filter((message) => message.room_id === room.id);
  const stored = [...log.messages.values()].sort((a, b) => a.seq - b.seq);
  const messages = [...stored, ...waiting.map((message) => ({ ...message, sender: state.me }))];
  const frame = $("log-frame");
  const toEnd = frame.scrollHeight - frame.scrollTop;
  if (shown.room !== room.id) state.atEnd = true;
  else if (frame.scrollTop !== shown.top && !isNearEnd()) state.atEnd = false;
  const grewAbove = stored[0] && stored[0].seq < shown.first;

  $("earlier").hidden = !log.earlier;
  $("empty").hidden = !log.loaded || messages.length > 0;
  arrange($("messages"), messages, keyOf, $("message-template"), fillMessage);

  if (state.atEnd) frame.scrollTop = frame.scrollHeight;
  else if (grewAbove) frame.scrollTop = frame.scrollHeight - toEnd;
  shown = { room: room.id, first: stored[0]?.seq, top: frame.scrollTop };
  $("newer").hidden = state.atEnd || !room.unread;
  write($("newer"), newIn(room));
}

function fillMessage(node, message) {
  const { sender, at, kind, problem } = message;
  const gone = "deleted_by_id" in message;
  const text = gone ? "This message was deleted." : message.text;
  const mine = isMine(message);
  const phase = message.state ?? (mine ? "sent" : "");
  node.className = `message ${mine ? "mine" : ""} ${kind === "notice" ? "notice" : ""} ${gone ? "gone" : ""} ${phase}`;
  const name = sender ? nameOf(sender) : "";
  write(node.querySelector(".face"), [...name][0]?.toUpperCase() ?? "");
  node.querySelector(".face").style.setProperty("--hue", ((sender?.id ?? 0) * 137) % 360);
  write(node.querySelector(".sender"), name);
  write(node.querySelector(".handle"), sender ? handleOf(sender) : "");
  const body = node.querySelector(".text");
  if (body.textContent !== text) body.replaceChildren(...withLinks(text));
  const note = message.edited_at && !gone ? "edited" : phase;
  write(node.querySelector(".state"), phase === "failed" ? `not sent: ${problem}` : note);
  fillTime(node.querySelector("time"), at);
}

function fillTime(time, at) {
  if (time.dateTime === at) return;
  time.dateTime = at;
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  write(time, when.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" }));
  time.title = when.toLocaleString();
}

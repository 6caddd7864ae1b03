// The web client of Veche. It uses the native dialect (docs/native.md). This file connects its parts, which are in
// page/, with each other and with the buttons and fields of the page. Read them in this order:
//
//   state       what the page knows                     keep        what the browser keeps of it
//   api         REST requests                           connection  the WebSocket, its commands and answers
//   outbox      messages that are not stored yet        reading     the messages of a room, and what is read
//   rooms       the rooms of the account                catchup     hello, join and sync
//   events      what the server pushes                  session     signing in and out
//   files       links to files                          invitations what the account is invited into
//   people      finding people
//   view        shows the state (with dom and links)
//
// The server and the person change the state, and the view shows it.

import { api, on as onRequest } from "./page/api.js";
import { join, sendHello } from "./page/catchup.js";
import { connect, link, on as onConnection } from "./page/connection.js";
import { $, onSubmit } from "./page/dom.js";
import { receivePush } from "./page/events.js";
import { openLinkedFile } from "./page/files.js";
import { accept, joinByAddress, loadInvitations, refuse } from "./page/invitations.js";
import { enqueue, failIfTooBig, sendWaiting } from "./page/outbox.js";
import { invite, lookForPeople, talkTo } from "./page/people.js";
import { loadHistory, onRoomVisible } from "./page/reading.js";
import { enterRoom, leaveOpenRoom, lookForRooms } from "./page/rooms.js";
import { followOtherTabs, onSessionEnded, resumeSession, signIn, signOut } from "./page/session.js";
import { open, openRoom, state } from "./page/state.js";
import {
  composing, isNearEnd, keep, NEAR_PX, noteScroll, paint, render, showProblem,
} from "./page/view.js";

const MAX_TEXT_BYTES = 16_384;
const PUBLIC_ROOMS_MS = 10_000; // how often the page looks for new public rooms

// ---- the server ----------------------------------------------------------------------------------------------------

onRequest.sessionEnded = onSessionEnded;
Object.assign(onConnection, {
  opened: sendHello,
  push: receivePush,
  closed: failIfTooBig,
  sessionEnded: onSessionEnded,
});

addEventListener("online", connect);
addEventListener("focus", lookForRooms);
addEventListener("focus", () => state.invitations.size && loadInvitations()); // first messages may have come
setInterval(lookForRooms, PUBLIC_ROOMS_MS);

// ---- signing in and out --------------------------------------------------------------------------------------------

const signInWith = async (button) => {
  await signIn(button?.value ?? "login", $("username").value.trim(), $("password").value);
  $("password").value = "";
  paint();
  $("message").focus();
  openAddress();
};

/** Goes where the address says: to a file, or into the room of a link. */
const openAddress = async () => {
  openLinkedFile(showProblem);
  const room = await joinByAddress().catch(({ message }) => showProblem(message));
  if (room) visit(room);
};

onSubmit($("sign-in-form"), signInWith, showProblem);
$("sign-out").addEventListener("click", signOut);

// ---- rooms ---------------------------------------------------------------------------------------------------------

$("rooms").addEventListener("click", ({ target }) => {
  const item = target.closest("button")?.closest("li");
  if (item) visit(state.rooms.get(Number(item.dataset.key)));
});

function visit(room) {
  open(room);
  state.problem = "";
  onRoomVisible();
  if (matchMedia("(pointer: fine)").matches) $("message").focus();
  paint(); // at once: what is typed from now on is for this room
}

$("invitation-list").addEventListener("click", async ({ target }) => {
  const id = Number(target.closest("li")?.dataset.key);
  try {
    if (target.value === "accept") visit(await accept(id));
    else if (target.value === "refuse") await refuse(id);
  } catch (refusal) {
    showProblem(refusal.message);
    loadInvitations(); // it may have been taken back
  }
});

$("people").addEventListener("input", () => lookForPeople($("people").value.trim()));
$("found").addEventListener("click", async ({ target }) => {
  const id = Number(target.closest("li")?.dataset.key);
  state.problem = "";
  try {
    if (target.value === "talk") visit(await talkTo(id));
    else if (target.value === "invite") await invite(id);
    else return;
    $("people").value = "";
    lookForPeople("");
  } catch (refusal) {
    showProblem(refusal.message);
  }
});

$("leave").addEventListener("click", leaveOpenRoom);
$("join").addEventListener("click", () => {
  state.problem = "";
  if (link?.ready) join(openRoom());
  else showProblem("The server cannot be reached.");
});

function showRoomForm(show) {
  $("room-form").hidden = !show;
  $("new-room").setAttribute("aria-expanded", String(show));
  $("room-name").value = "";
  $(show ? "room-name" : "new-room").focus();
}

const makeRoom = async () => {
  const name = $("room-name").value.trim();
  $("message").disabled = true; // until the new room is open: the text would go to the old one
  const made = await api("POST", "/v1/rooms", { kind: "channel", name }).finally(() => {
    $("message").disabled = false;
  });
  const room = enterRoom(made);
  showRoomForm(false);
  visit(room);
};

onSubmit($("room-form"), makeRoom, showProblem);
$("new-room").addEventListener("click", () => showRoomForm($("room-form").hidden));
$("room-cancel").addEventListener("click", () => showRoomForm(false));
$("room-form").addEventListener("keydown", (event) => event.key === "Escape" && showRoomForm(false));

// ---- writing -------------------------------------------------------------------------------------------------------

const send = () => {
  const text = $("message").value;
  if (!text.trim()) return;
  if (new TextEncoder().encode(text).length > MAX_TEXT_BYTES) throw new Error("This message is too long.");
  enqueue(composing.id, text);
  state.drafts.delete(composing.id);
  keep();
  $("message").value = "";
  $("message").focus();
  scrollToEnd();
  sendWaiting();
};

onSubmit($("composer"), send, showProblem);

$("message").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

$("message").addEventListener("input", () => {
  const text = $("message").value;
  if (text) state.drafts.set(composing.id, text);
  else state.drafts.delete(composing.id);
  keep();
});

addEventListener("pagehide", keep);

// ---- reading -------------------------------------------------------------------------------------------------------

/** Notices whether the end of the log is in view, and loads earlier messages where its beginning is. */
$("log-frame").addEventListener("scroll", () => {
  const room = openRoom();
  if (!room) return;
  const frame = $("log-frame");
  const atEnd = isNearEnd();
  noteScroll();
  if (atEnd !== state.atEnd) {
    state.atEnd = atEnd;
    onRoomVisible();
    render();
  }
  if (frame.scrollTop < NEAR_PX && room.log.earlier) loadHistory(room);
});

function scrollToEnd() {
  noteScroll();
  state.atEnd = true;
  onRoomVisible();
  render();
}

$("newer").addEventListener("click", scrollToEnd);
$("earlier").addEventListener("click", () => loadHistory(openRoom()));

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !state.token) return;
  onRoomVisible();
  lookForRooms();
  render();
});

// ---- the start -----------------------------------------------------------------------------------------------------

$("loading").remove();
followOtherTabs();
resumeSession();
addEventListener("hashchange", openAddress);
openAddress();

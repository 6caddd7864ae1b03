// The web client of Veche. It uses the native dialect (docs/native.md). It has four parts: state, api, socket, view.
//
// The state holds what the server has sent, and the messages that are still to be sent. The api and the socket change
// the state, the view renders it. The state is in memory. Only the session, the open room, drafts and unsent messages
// are kept (keep.js); after a reload the page loads the newest messages again.

import {
  endSession, forget, forgetTab, hasEnded, keepSession, keepTab, keptSession, keptTab, onOtherTab,
} from "./keep.js";
import { withLinks } from "./links.js";

const LOBBY = 2147483647;
const MAX_TEXT_BYTES = 16_384;
const SILENCE_MARGIN_MS = 5_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1; // `setTimeout` takes no more
const MAX_BACKOFF_MS = 3_000;
const PUBLIC_ROOMS_MS = 10_000; // how often the page looks for new public rooms
const READ_DELAY_MS = 500;
const MAX_MESSAGES = 2_000; // of one room in memory
const NOT_IN = "you are not in this room";
const NEAR_PX = 80; // so near the end of the log, its newest messages count as seen
const MAX_SYNC_ROOMS = 1_000;

// ---- state ---------------------------------------------------------------------------------------------------------

const signedOut = () => ({
  token: null,
  me: null,
  epoch: undefined,
  own: { position: undefined, head: 0 }, // the account's own log
  rooms: new Map(),
  early: new Map(), // of rooms that are not known yet: the seq before their first event
  settled: false, // whether all rooms of the account are known
  open: LOBBY,
  atEnd: true, // whether the end of the open room's log is in view
  drafts: new Map(), // what is typed, by room
  outbox: [], // sent messages that are not in the log yet: {client_message_id, room_id, text, at, state, problem}
  status: "offline",
  problem: "",
});

const state = signedOut();

const emptyLog = () => ({ messages: new Map(), loaded: false, loading: false, earlier: false });

/** Adds or updates a room from the server's data. Its `position` is null while the socket is not subscribed to it. */
function addRoom(data) {
  const room = state.rooms.get(data.id) ?? { id: data.id, position: null, head: 0, log: emptyLog() };
  room.kind = data.kind;
  room.name = data.name || "Unnamed";
  if (room.position === null) setReadPointer(room, data);
  state.rooms.set(room.id, room);
  return room;
}

/** Whether this is a public room that the account has not joined. */
const isOutside = (room) => state.settled && room.position === null && room.id !== LOBBY;

function open(room) {
  state.open = room.id;
  state.atEnd = true;
}

function setReadPointer(room, { unread, read_seq }) {
  room.unread = unread ?? 0;
  room.read = read_seq ?? 0;
}

function startRoom(room, head) {
  if (room.kind === "direct" && !room.peer) findPeer(room);
  if (room.position !== null) return;
  room.head = head;
  room.position = Math.min(head, state.early.get(room.id) ?? head);
  room.log = emptyLog();
  if (room.id === state.open) onRoomVisible();
}

function leaveRoom(room) {
  if (!room) return;
  room.position = null;
  room.unread = 0;
  failWaiting(room, NOT_IN);
  if (room.kind === "group" || room.kind === "direct") state.rooms.delete(room.id);
  if (room.id === state.open) open(state.rooms.get(LOBBY));
}

/** Adds a message to its room's log, and removes it from the outbox. */
function addMessage(room, message) {
  room.log.messages.set(message.seq, message);
  if (isMine(message)) dequeue(message.client_message_id);
}

const isIn = (room) => room !== undefined && room.position !== null;
const isMine = (message) => message.sender?.id === state.me.id;
const subscribed = () => [...state.rooms.values()].filter((room) => room.position !== null);
const isBehind = () => state.own.head > state.own.position || subscribed().some((room) => room.head > room.position);
const openRoom = () => state.rooms.get(state.open);
const isSeen = (room) => room.id === state.open && state.atEnd && !document.hidden;

const positions = () => ({
  rooms: Object.fromEntries(subscribed().map((room) => [room.id, room.position])),
  me: state.own.position,
});

function markFailed(message, problem) {
  message.state = "failed";
  message.problem = problem;
}

/** Marks the waiting messages of a room as failed, because the account is not in it. */
function failWaiting(room, problem) {
  for (const waiting of state.outbox) {
    if (waiting.room_id === room.id && waiting.state === "sending") markFailed(waiting, problem);
  }
}

function dequeue(id) {
  state.outbox = state.outbox.filter((waiting) => waiting.client_message_id !== id);
}

/** Keeps what a reload must not lose. A message that is stored already is not kept: the log has it. */
function keep() {
  if (!state.token) return;
  const { id, kind, name } = openRoom();
  const outbox = state.outbox.filter((waiting) => waiting.state !== "sent");
  keepTab({ account: state.me.id, open: { id, kind, name }, drafts: [...state.drafts], outbox });
}

function showProblem(problem) {
  state.problem = problem;
  render();
}

// ---- api: REST requests --------------------------------------------------------------------------------------------

class Refusal extends Error {
  constructor({ code, temporary, detail, message, title }) {
    super(detail || message || title || code);
    this.code = code;
    this.temporary = temporary;
  }
}

async function api(method, path, body) {
  const { token } = state;
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Refusal({ code: "unreachable", temporary: true, message: "The server cannot be reached." });
  });
  const answer = response.status === 204 ? null : await response.json().catch(() => ({ title: response.statusText }));
  if (response.ok) return answer;
  if (token && token === state.token && answer.code === "unauthenticated") onEnded();
  throw new Refusal(answer);
}

async function allPages(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await api("GET", `${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor);
  return items;
}

/** Looks for new public rooms: the server does not announce them. */
async function lookForRooms() {
  if (!link?.ready || document.hidden) return;
  const { token } = state;
  const rooms = await allPages("/v1/rooms/public").catch(() => []);
  if (token !== state.token) return;
  rooms.forEach(addRoom);
  render();
}

/** Loads messages: the newest ones at first, afterwards the ones before the oldest that is in memory. */
async function loadHistory(room) {
  const { log } = room;
  if (log.loading) return;
  log.loading = true;
  const before = log.loaded ? `?before_seq=${Math.min(...log.messages.keys())}` : "";
  try {
    const page = await api("GET", `/v1/rooms/${room.id}/messages${before}`);
    if (log !== room.log || !state.rooms.has(room.id)) return; // the log was reset while this request ran
    page.items.forEach((message) => addMessage(room, message));
    log.earlier = page.has_more_before;
    log.loaded = true;
  } catch (refusal) {
    if (refusal.code !== "unreachable" && state.token) showProblem(refusal.message);
  } finally {
    log.loading = false;
    render();
  }
}

let lookups = Promise.resolve();

/** Finds the other person of a direct room: the room's name may be any name that they chose. One request at a time. */
function findPeer(room) {
  lookups = lookups.then(() => loadPeer(room));
}

async function loadPeer(room) {
  if (room.peer || state.rooms.get(room.id) !== room) return;
  const page = await api("GET", `/v1/rooms/${room.id}/members`).catch(() => null);
  room.peer = page?.items.find((member) => member.id !== state.me?.id) ?? room.peer;
  render();
}

/** Signs in or up. What has an @ after its first character is an e-mail; the page shows usernames with an @ before. */
async function signIn(action, typed, password) {
  const name = /.@/u.test(typed) && action === "login" ? { email: typed } : { username: typed.replace(/^@/, "") };
  const { token, me } = await api("POST", `/v1/${action}`, { ...name, password });
  keepSession({ token, me });
  start({ token, me });
}

function start({ token, me }) {
  stop();
  Object.assign(state, { token, me, status: "connecting" });
  addRoom({ id: LOBBY, kind: "lobby", name: "Lobby" });
  const kept = keptTab(me.id);
  if (kept) {
    state.drafts = new Map(kept.drafts);
    state.outbox = kept.outbox;
    open(addRoom(kept.open));
  }
  connect();
  render();
}

/** Ends what the page does for an account, and forgets what it knows of it. */
function stop(problem = "") {
  if (link) disconnect();
  clearTimeout(retry);
  failures = 0;
  Object.assign(state, signedOut(), { problem });
  render();
}

function onEnded() {
  keep();
  endSession(state.token);
  stop("Your session has ended.");
}

/** Signs out in all tabs: the others are told, see `onOtherTab`. */
function signOut() {
  const { token } = state;
  forget();
  stop();
  fetch("/v1/logout", { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch(() => {});
}

onOtherTab((session) => {
  if (session) return void (session.token === state.token || start(session));
  if (!hasEnded()) forgetTab();
  if (!state.token) return;
  if (hasEnded()) onEnded();
  else stop();
});

// ---- socket: commands and events -----------------------------------------------------------------------------------

let link = null; // the connection with all of its state
let retry = 0;
let failures = 0;
let silenceMs = 40_000; // without a frame for this long, the connection counts as dead; see loadSilence

function connect() {
  clearTimeout(retry);
  if (link || !state.token) return;
  const socket = new WebSocket(new URL("/v1/socket", location.href.replace(/^http/, "ws")));
  link = { socket, ready: false, pending: 0, sending: false, lastId: 0, answers: new Map(), bye: {}, silence: 0 };
  socket.onopen = () => {
    sendHello();
    loadSilence();
  };
  socket.onclose = ({ code }) => onClosed(code);
  socket.onmessage = ({ data }) => {
    restartSilenceTimer();
    receive(JSON.parse(data));
    render();
  };
  restartSilenceTimer();
}

function restartSilenceTimer() {
  clearTimeout(link.silence);
  link.silence = setTimeout(onClosed, silenceMs, null);
}

/** Takes the time from the heartbeat of this server. If the limits cannot be loaded, the time stays as it is. */
async function loadSilence() {
  const limits = await api("GET", "/v1/limits").catch(() => null);
  if (!limits) return;
  silenceMs = Math.min(MAX_TIMEOUT_MS, limits.ping_interval_ms + limits.pong_timeout_ms + SILENCE_MARGIN_MS);
  if (link) restartSilenceTimer();
}

function disconnect() {
  const { socket, silence, answers } = link;
  link = null;
  clearTimeout(silence);
  socket.onopen = socket.onclose = socket.onmessage = null;
  socket.close();
  for (const { reject } of answers.values()) reject(new Refusal({ code: "lost", temporary: true }));
}

/** Reacts to a close code by its range (docs/native.md). Null: the connection is dead and was not closed. */
function onClosed(code) {
  const { bye, sending } = link;
  disconnect();
  state.status = "offline";
  render();
  if (code === 4001 || code === 4004) return onEnded();
  if (code === 1009 && sending) markFailed(sending, "too long");
  else if ((code >= 4000 && code < 4100) || code === 1003 || code === 1007) {
    return showProblem(`The server refused this page (${code} ${bye.reason ?? ""}). Reload it to try again.`);
  }
  const atOnce = code >= 4200 && code < 4300 && failures === 0;
  const minimum = code >= 4100 && code < 4200 ? 1000 : 0;
  const backoff = atOnce ? 0 : Math.min(MAX_BACKOFF_MS, 500 * 2 ** failures);
  const wait = Math.max(bye.retry_after_ms ?? 0, minimum, backoff);
  failures += 1;
  retry = setTimeout(connect, wait + Math.random() * Math.max(250, wait / 2));
}

function command(name, fields) {
  const { socket, answers } = link;
  const id = (link.lastId += 1);
  socket.send(JSON.stringify({ id, [name]: fields }));
  return new Promise((resolve, reject) => answers.set(id, { name, resolve, reject }));
}

async function sendHello() {
  const current = link;
  addPending(+1);
  state.status = "connecting";
  render();
  try {
    const answer = await command("hello", { token: state.token, epoch: state.epoch, ...positions() });
    state.epoch = answer.epoch;
    state.me = answer.me;
    state.own.head = answer.me.seq;
    state.own.position ??= answer.me.seq;
    for (const data of answer.rooms) resumeRoom(data);
    if (state.rooms.get(LOBBY).position === null) join(state.rooms.get(LOBBY));
    current.ready = true;
    settle(current, Boolean(answer.rooms_cursor));
    onRoomVisible();
    sendWaiting();
    lookForRooms();
  } catch (refusal) {
    if (current !== link) return;
    current.bye.reason ??= refusal.code;
    onClosed(refusal.code === "unauthenticated" ? 4001 : refusal.temporary ? null : 4000);
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
  if (rooms === null) return onClosed(null);
  rooms.forEach(resumeRoom);
  state.settled = true;
  state.early.clear();
  dropHopeless();
  addPending(-1);
  render();
}

/** Gives up what was kept of a room that the account is not in any more. */
function dropHopeless() {
  const room = openRoom();
  if (isOutside(room) && room.kind !== "channel") leaveRoom(room);
  for (const { room_id } of [...state.outbox]) {
    if (room_id !== LOBBY && !isIn(state.rooms.get(room_id))) failWaiting({ id: room_id }, NOT_IN);
  }
}

async function join(room) {
  const current = link;
  addPending(+1);
  try {
    const { head_seq } = await command("join", { room_id: room.id });
    startRoom(room, head_seq);
    sendWaiting();
  } catch (refusal) {
    if (current !== link) return; // the next hello joins the lobby again
    failWaiting(room, refusal.message);
    showProblem(refusal.message);
  }
  addPending(-1);
}

/** Asks for missing entries, after a gap in a log. */
async function sync(current) {
  if (current !== link) return;
  addPending(+1);
  state.status = "connecting";
  const behind = subscribed().filter((room) => room.head > room.position);
  const rooms = Object.fromEntries(behind.slice(0, MAX_SYNC_ROOMS).map((room) => [room.id, room.position]));
  await command("sync", { rooms, me: state.own.position }).catch(() => current === link && onClosed(null));
}

/** Counts answers until the page has caught up: a `caught_up` for each hello or sync, and an answer for each join. */
function addPending(step) {
  link.pending += step;
  if (link.pending > 0) return;
  if (isBehind()) return void setTimeout(sync, 1000, link);
  state.status = "caught up";
  failures = 0;
}

/** Sends the waiting messages in order. Each is sent when the one before it has its answer. */
async function sendWaiting() {
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
    if (refusal.temporary) await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 1000));
    else markFailed(message, refusal.message);
  }
  current.sending = false;
  render();
  if (current === link) sendWaiting();
}

const onPush = {
  bye: (bye) => Object.assign(link.bye, bye),
  error: ({ message }) => showProblem(message),
  caught_up: () => addPending(-1),
  gone: ({ room_ids }) => room_ids.forEach((id) => leaveRoom(state.rooms.get(id))),
  reset: ({ me, room_id, seq }) => {
    if (me) Object.assign(state.own, { position: seq, head: seq }); // the answer to hello had the rooms
    else resetRoom(state.rooms.get(room_id), seq);
  },
  me: ({ seq, ...change }) => {
    if (!isNext(state.own, seq)) return;
    if (change.joined) {
      const { room } = change.joined;
      startRoom(addRoom(room), room.head_seq);
    } else if (change.left) leaveRoom(state.rooms.get(change.left.room_id));
    else if (change.read) onReadElsewhere(change.read);
    else if (change.account) Object.assign(state.me, change.account);
  },
};

function receive(frame) {
  if (frame.id !== undefined) return onAnswer(frame);
  const [kind, body] = Object.entries(frame)[0] ?? [];
  if (!kind) return link.socket.send("{}");
  if (Object.hasOwn(onPush, kind)) return onPush[kind](body);
  const room = state.rooms.get(body?.room_id);
  if (!isIn(room)) return void onEarly(body);
  if (!isNext(room, body.seq)) return;
  if (kind === "message") onMessage(room, body);
  else if (kind === "renamed") room.name = body.name;
}

/** Notes where the events of a room began that is not known yet: there the page begins, once it has loaded the room. */
function onEarly({ room_id, seq }) {
  if (!state.settled && !state.early.has(room_id)) state.early.set(room_id, seq - 1);
}

function onAnswer({ id, error, ...named }) {
  const waiting = link.answers.get(id);
  if (!waiting) return;
  link.answers.delete(id);
  if (error) waiting.reject(new Refusal(error));
  else waiting.resolve(named[waiting.name]);
}

/** Whether an event is the next of its log. If it is, moves the position; if it is a later one, asks for the gap. */
function isNext(log, seq) {
  if (!(seq > log.position)) return false;
  log.head = Math.max(log.head, seq);
  if (seq > log.position + 1) {
    if (link.pending === 0) sync(link);
    return false;
  }
  log.position = seq;
  return true;
}

function onMessage(room, message) {
  addMessage(room, message);
  if (room.id !== state.open || state.atEnd) trim(room.log);
  if (isSeen(room)) onRoomVisible();
  else if (!isMine(message) && message.seq > room.read) room.unread += 1;
}

/** Drops the older half of a log that has grown too long. "Earlier messages" loads it again. */
function trim(log) {
  if (log.messages.size <= MAX_MESSAGES || log.loading) return;
  const seqs = [...log.messages.keys()].sort((a, b) => a - b);
  for (const seq of seqs.slice(0, MAX_MESSAGES / 2)) log.messages.delete(seq);
  log.earlier = true;
}

function onReadElsewhere({ room_id, seq }) {
  const room = state.rooms.get(room_id);
  if (!room || seq <= room.read) return;
  room.read = seq;
  room.unread = [...room.log.messages.values()].filter((message) => message.seq > seq && !isMine(message)).length;
}

async function resetRoom(room, seq) {
  if (!room) return;
  room.position = room.head = seq;
  room.log = emptyLog();
  if (room.id === state.open) onRoomVisible();
  const { log } = room;
  const data = await api("GET", `/v1/rooms/${room.id}`).catch(() => null);
  if (data && log === room.log && room.id !== state.open) setReadPointer(room, data);
  render();
}

/** Loads the history of the open room if needed, and marks its messages as read if the end of the log is in view. */
function onRoomVisible() {
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

// ---- view ----------------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
let painting = 0;
let shown = {}; // the room and the first message of the last rendering, to keep the scroll position
let composing = null; // the room whose draft is in the field for the next message

function render() {
  painting ||= setTimeout(paint);
}

function paint() {
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
  paintRooms();
  paintOpenRoom();
  paintMessages();
  keep();
}

function clear() {
  for (const id of ["rooms", "messages"]) $(id).replaceChildren();
  for (const id of ["message", "room-name"]) $(id).value = "";
  composing = null;
}

const nameOf = (person) => person.name || person.username;

/** The username, to stand beside a name that its owner chose and that may be anybody's. */
const handleOf = (person) => (person.username && nameOf(person) !== person.username ? `@${person.username}` : "");

function peerOf(room) {
  if (room.kind !== "direct") return "";
  return room.peer ? handleOf({ name: room.name, username: room.peer.username }) : "@…";
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` match `items`, in order. It reuses the nodes of items that are already there. */
function arrange(parent, items, keyOf, template, fill) {
  const wanted = new Set(items.map(keyOf));
  const held = new Map();
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.key)) held.set(node.dataset.key, node);
    else node.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = held.get(key) ?? template.content.firstElementChild.cloneNode(true);
    node.dataset.key = key;
    fill(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

const newIn = (room) => (room.unread ? `${room.unread} new` : "");

function paintRooms() {
  const rank = (room) => (room.id === LOBBY ? 0 : isOutside(room) ? 2 : 1);
  const rooms = [...state.rooms.values()].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
  if (unread) document.title = `(${unread}) Veche`;
  arrange($("rooms"), rooms, (room) => String(room.id), $("room-template"), (node, room) => {
    const button = node.firstElementChild;
    button.onclick = () => visit(room);
    if (room.id !== state.open) button.removeAttribute("aria-current");
    else if (!button.hasAttribute("aria-current")) {
      button.setAttribute("aria-current", "true");
      button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    button.dataset.kind = isOutside(room) ? "outside" : room.kind;
    write(button.querySelector(".room-name"), room.name);
    write(button.querySelector(".handle"), peerOf(room));
    write(button.querySelector(".room-mark"), isOutside(room) ? "join" : newIn(room));
  });
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
  const grewAbove = stored[0] && stored[0].seq < shown.first;

  $("earlier").hidden = !log.earlier;
  $("empty").hidden = !log.loaded || messages.length > 0;
  arrange($("messages"), messages, keyOf, $("message-template"), fillMessage);

  if (state.atEnd) frame.scrollTop = frame.scrollHeight;
  else if (grewAbove) frame.scrollTop = frame.scrollHeight - toEnd;
  shown = { room: room.id, first: stored[0]?.seq };
  $("newer").hidden = state.atEnd || !room.unread;
  write($("newer"), newIn(room));
}

/** Notices whether the end of the log is in view, and loads earlier messages where its beginning is. */
function onScroll() {
  const room = openRoom();
  if (!room) return;
  const frame = $("log-frame");
  const atEnd = frame.scrollHeight - frame.scrollTop - frame.clientHeight < NEAR_PX;
  if (atEnd !== state.atEnd) {
    state.atEnd = atEnd;
    onRoomVisible();
    render();
  }
  if (frame.scrollTop < NEAR_PX && room.log.earlier) loadHistory(room);
}

function scrollToEnd() {
  state.atEnd = true;
  onRoomVisible();
  render();
}

function fillMessage(node, message) {
  const { sender, text, at, kind, problem } = message;
  const mine = isMine(message);
  const phase = message.state ?? (mine ? "sent" : "");
  node.className = `message ${mine ? "mine" : ""} ${kind === "notice" ? "notice" : ""} ${phase}`;
  const name = sender ? nameOf(sender) : "";
  write(node.querySelector(".face"), [...name][0]?.toUpperCase() ?? "");
  node.querySelector(".face").style.setProperty("--hue", ((sender?.id ?? 0) * 137) % 360);
  write(node.querySelector(".sender"), name);
  write(node.querySelector(".handle"), sender ? handleOf(sender) : "");
  const body = node.querySelector(".text");
  if (body.textContent !== text) body.replaceChildren(...withLinks(text));
  write(node.querySelector(".state"), phase === "failed" ? `not sent: ${problem}` : phase);
  const time = node.querySelector("time");
  if (time.dateTime === at) return;
  time.dateTime = at;
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  write(time, when.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" }));
  time.title = when.toLocaleString();
}

function visit(room) {
  open(room);
  state.problem = "";
  onRoomVisible();
  if (matchMedia("(pointer: fine)").matches) $("message").focus();
  paint(); // at once: what is typed from now on is for this room
}

/** Leaves the open room. The event of it, in the account's own log, removes the room from the page. */
async function leaveOpenRoom() {
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

function joinOpenRoom() {
  state.problem = "";
  if (link?.ready) join(openRoom());
  else showProblem("The server cannot be reached.");
}

function showRoomForm(show) {
  $("room-form").hidden = !show;
  $("new-room").setAttribute("aria-expanded", String(show));
  $("room-name").value = "";
  $(show ? "room-name" : "new-room").focus();
}

/** Runs `act` when a form is submitted. Its button is disabled meanwhile. A refusal is shown as text. */
function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    state.problem = "";
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      await act(button);
    } catch (refusal) {
      state.problem = refusal.message;
    }
    if (button) button.disabled = false;
    render();
  });
}

onSubmit($("sign-in-form"), async (button) => {
  await signIn(button?.value ?? "login", $("username").value.trim(), $("password").value);
  $("password").value = "";
  paint();
  $("message").focus();
});

onSubmit($("room-form"), async () => {
  const name = $("room-name").value.trim();
  $("message").disabled = true; // until the new room is open: the text would go to the old one
  const made = await api("POST", "/v1/rooms", { kind: "channel", name }).finally(() => {
    $("message").disabled = false;
  });
  const room = addRoom(made);
  startRoom(room, made.head_seq);
  showRoomForm(false);
  visit(room);
});

onSubmit($("composer"), () => {
  const text = $("message").value;
  if (!text.trim()) return;
  if (new TextEncoder().encode(text).length > MAX_TEXT_BYTES) throw new Error("This message is too long.");
  const client_message_id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  state.outbox.push({ client_message_id, room_id: composing.id, text, at: new Date().toISOString(), state: "sending" });
  state.drafts.delete(composing.id);
  keep();
  $("message").value = "";
  $("message").focus();
  scrollToEnd();
  sendWaiting();
});

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

$("new-room").addEventListener("click", () => showRoomForm($("room-form").hidden));
$("room-cancel").addEventListener("click", () => showRoomForm(false));
$("room-form").addEventListener("keydown", (event) => event.key === "Escape" && showRoomForm(false));
$("earlier").addEventListener("click", () => loadHistory(openRoom()));
$("newer").addEventListener("click", scrollToEnd);
$("log-frame").addEventListener("scroll", onScroll);
$("join").addEventListener("click", joinOpenRoom);
$("leave").addEventListener("click", leaveOpenRoom);
$("sign-out").addEventListener("click", signOut);

addEventListener("pagehide", keep);
addEventListener("online", connect);
addEventListener("focus", lookForRooms);
setInterval(lookForRooms, PUBLIC_ROOMS_MS);
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !state.token) return;
  onRoomVisible();
  lookForRooms();
  render();
});

const session = keptSession();
if (!session && !hasEnded()) forgetTab();
if (session) start(session);
else render();

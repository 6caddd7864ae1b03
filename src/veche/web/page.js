// Veche's page: a client of docs/native.md, in four parts: state, api, socket, view.
//
// The state holds what the server said and the messages that wait; the api and the socket change it; the view paints
// it. A position is kept with the log it belongs to, in memory: a reload begins anew, with the newest history.

const LOBBY = 2147483647;
const MAX_TEXT_BYTES = 16_384;
const SILENCE_MS = 40_000;
const LONGEST_WAIT_MS = 3_000;
const NEWS_MS = 10_000;
const READ_MS = 500;
const MOST_HELD = 2_000;

// ---- state ---------------------------------------------------------------------------------------------------------

const nobody = () => ({
  token: null,
  me: null,
  epoch: undefined,
  own: { position: undefined, head: 0 }, // my log
  rooms: new Map(),
  open: LOBBY,
  outbox: [], // mine, until the log shows them: {client_message_id, room_id, text, at, state, problem}
  status: "offline",
  problem: "",
});

const state = nobody();

const emptyLog = () => ({ messages: new Map(), loaded: false, loading: false, earlier: false });

/** A room as the server tells of it. Its `position` is null while this socket does not hear it. */
function know(facts) {
  const room = state.rooms.get(facts.id) ?? { id: facts.id, position: null, head: 0, log: emptyLog() };
  room.kind = facts.kind;
  room.name = facts.name || "Unnamed";
  if (room.position === null) count(room, facts);
  state.rooms.set(room.id, room);
  return room;
}

function count(room, { unread, read_seq }) {
  room.unread = unread ?? 0;
  room.read = read_seq ?? 0;
}

function enter(room, head) {
  if (room.position !== null) return;
  room.position = room.head = head;
  room.log = emptyLog();
  if (room.id === state.open) look();
}

function forget(room) {
  if (!room) return;
  room.position = null;
  room.unread = 0;
  refuse(room, "you are not in this room");
  if (room.kind === "group" || room.kind === "direct") state.rooms.delete(room.id);
  if (room.id === state.open) state.open = LOBBY;
}

/** Puts a message where it belongs; the log taking it over, it waits no longer. */
function keep(room, message) {
  room.log.messages.set(message.seq, message);
  if (isMine(message)) dequeue(message.client_message_id);
}

const isMine = (message) => message.sender?.id === state.me.id;
const followed = () => [...state.rooms.values()].filter((room) => room.position !== null);
const isBehind = () => state.own.head > state.own.position || followed().some((room) => room.head > room.position);
const openRoom = () => state.rooms.get(state.open);

const positions = () => ({
  rooms: Object.fromEntries(followed().map((room) => [room.id, room.position])),
  me: state.own.position,
});

function fail(message, problem) {
  message.state = "failed";
  message.problem = problem;
}

/** What waits for a room that cannot be entered will never leave. */
function refuse(room, problem) {
  for (const waiting of state.outbox) {
    if (waiting.room_id === room.id && waiting.state === "sending") fail(waiting, problem);
  }
}

function dequeue(id) {
  state.outbox = state.outbox.filter((waiting) => waiting.client_message_id !== id);
}

function tell(problem) {
  state.problem = problem;
  render();
}

// ---- api: what is asked once ---------------------------------------------------------------------------------------

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
  if (token && token === state.token && answer.code === "unauthenticated") signOut("Your session has ended.");
  throw new Refusal(answer);
}

async function pages(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await api("GET", `${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor);
  return items;
}

/** Nobody announces a public room: look for new ones now and then. */
async function lookForRooms() {
  if (!link?.ready || document.hidden) return;
  const { token } = state;
  const rooms = await pages("/v1/rooms/public").catch(() => []);
  if (token !== state.token) return;
  rooms.forEach(know);
  render();
}

/** Fetches history: the newest of a log just opened, then always what comes before the oldest held. */
async function load(room) {
  const { log } = room;
  if (log.loading) return;
  log.loading = true;
  const before = log.loaded ? `?before_seq=${Math.min(...log.messages.keys())}` : "";
  try {
    const page = await api("GET", `/v1/rooms/${room.id}/messages${before}`);
    if (log !== room.log || !state.rooms.has(room.id)) return; // this log was reset meanwhile
    page.items.forEach((message) => keep(room, message));
    log.earlier = page.has_more_before;
    log.loaded = true;
  } catch (refusal) {
    if (refusal.code !== "unreachable" && state.token) tell(refusal.message);
  } finally {
    log.loading = false;
    render();
  }
}

async function sign(how, username, password) {
  const { token, me } = await api("POST", `/v1/${how}`, { username, password });
  sessionStorage.setItem("session", JSON.stringify({ token, me }));
  start({ token, me });
}

function start({ token, me }) {
  Object.assign(state, nobody(), { token, me, status: "connecting" });
  know({ id: LOBBY, kind: "lobby", name: "Lobby" });
  connect();
  render();
}

function signOut(problem = "") {
  if (link) hangUp();
  clearTimeout(retry);
  failures = 0;
  sessionStorage.removeItem("session");
  Object.assign(state, nobody(), { problem });
  render();
}

// ---- socket: what goes on ------------------------------------------------------------------------------------------

let link = null; // the one connection; everything about it ends with it
let retry = 0;
let failures = 0;

function connect() {
  clearTimeout(retry);
  if (link || !state.token) return;
  const socket = new WebSocket(new URL("/v1/socket", location.href.replace(/^http/, "ws")));
  link = { socket, ready: false, owed: 0, sending: false, lastId: 0, answers: new Map(), bye: {}, silence: 0 };
  socket.onopen = greet;
  socket.onclose = ({ code }) => lost(code);
  socket.onmessage = ({ data }) => {
    stayAlive();
    receive(JSON.parse(data));
    render();
  };
  stayAlive();
}

function stayAlive() {
  clearTimeout(link.silence);
  link.silence = setTimeout(lost, SILENCE_MS, null);
}

function hangUp() {
  const { socket, silence, answers } = link;
  link = null;
  clearTimeout(silence);
  socket.onopen = socket.onclose = socket.onmessage = null;
  socket.close();
  for (const { reject } of answers.values()) reject(new Refusal({ code: "lost", temporary: true }));
}

/** Acts by the range of the close code; null is a connection found dead. */
function lost(code) {
  const { bye, sending } = link;
  hangUp();
  state.status = "offline";
  render();
  if (code === 4001 || code === 4004) return signOut("Your session has ended.");
  if (code === 1009 && sending) fail(sending, "too long");
  else if ((code >= 4000 && code < 4100) || code === 1003 || code === 1007) {
    return tell(`The server refused this page (${code} ${bye.reason ?? ""}). Reload it to try again.`);
  }
  const atOnce = code >= 4200 && code < 4300 && failures === 0;
  const least = code >= 4100 && code < 4200 ? 1000 : 0;
  const grown = atOnce ? 0 : Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures);
  const wait = Math.max(bye.retry_after_ms ?? 0, least, grown);
  failures += 1;
  retry = setTimeout(connect, wait + Math.random() * Math.max(250, wait / 2));
}

function command(name, fields) {
  const { socket, answers } = link;
  const id = (link.lastId += 1);
  socket.send(JSON.stringify({ id, [name]: fields }));
  return new Promise((resolve, reject) => answers.set(id, { name, resolve, reject }));
}

async function greet() {
  const here = link;
  settle(+1);
  state.status = "connecting";
  render();
  try {
    const answer = await command("hello", { token: state.token, epoch: state.epoch, ...positions() });
    state.epoch = answer.epoch;
    state.me = answer.me;
    state.own.head = answer.me.seq;
    state.own.position ??= answer.me.seq;
    for (const facts of answer.rooms) welcome(facts);
    const wanted = new Set([LOBBY, state.open, ...state.outbox.map((waiting) => waiting.room_id)]);
    for (const id of wanted) if (state.rooms.get(id)?.position === null) join(state.rooms.get(id));
    here.ready = true;
    look();
    pump();
    lookForRooms();
  } catch (refusal) {
    if (here !== link) return;
    here.bye.reason ??= refusal.code;
    lost(refusal.code === "unauthenticated" ? 4001 : refusal.temporary ? null : 4000);
  }
}

function welcome(facts) {
  const room = know(facts);
  room.head = facts.head_seq;
  if (room.kind !== "lobby") enter(room, facts.head_seq); // the lobby is heard from its join on
}

async function join(room) {
  const here = link;
  settle(+1);
  try {
    const { head_seq } = await command("join", { room_id: room.id });
    enter(room, head_seq);
    pump();
  } catch (refusal) {
    if (here !== link) return; // asked again by the next hello
    refuse(room, refusal.message);
    if (room.id === state.open) state.open = LOBBY;
    tell(refusal.message);
  }
  settle(-1);
}

/** Asks for what is missing, when a log has a gap. */
async function sync(here) {
  if (here !== link) return;
  settle(+1);
  state.status = "connecting";
  await command("sync", positions()).catch(() => here === link && lost(null));
}

/** Counts what must come before we are caught up: a `caught_up` for each hello or sync, and the answers to joins. */
function settle(step) {
  link.owed += step;
  if (link.owed > 0) return;
  if (isBehind()) return void setTimeout(sync, 1000, link);
  state.status = "caught up";
  failures = 0;
}

/** Sends what waits, in order, one at a time: the next leaves when the one before it has its answer. */
async function pump() {
  const here = link;
  const mayLeave = ({ state: phase, room_id }) => phase === "sending" && state.rooms.get(room_id)?.position >= 0;
  const message = state.outbox.find(mayLeave);
  if (!message || !here?.ready || here.sending) return;
  here.sending = message;
  const { room_id, text, client_message_id } = message;
  try {
    const { seq } = await command("send", { room_id, text, client_message_id });
    message.state = "sent";
    if (seq <= state.rooms.get(room_id)?.position) dequeue(client_message_id); // its event came before
  } catch (refusal) {
    if (here !== link) return; // goes out on return, with the same client_message_id
    if (refusal.temporary) await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 1000));
    else fail(message, refusal.message);
  }
  here.sending = false;
  render();
  if (here === link) pump();
}

const pushed = {
  bye: (bye) => Object.assign(link.bye, bye),
  error: ({ message }) => tell(message),
  caught_up: () => settle(-1),
  gone: ({ room_id }) => forget(state.rooms.get(room_id)),
  reset: ({ me, room_id, seq }) => {
    if (me) Object.assign(state.own, { position: seq, head: seq }); // the rooms came with the answer to hello
    else startOver(state.rooms.get(room_id), seq);
  },
  me: ({ seq, ...what }) => {
    if (!isNext(state.own, seq)) return;
    if (what.joined) {
      const { room } = what.joined;
      enter(know(room), room.head_seq);
    } else if (what.left) forget(state.rooms.get(what.left.room_id));
    else if (what.read) readElsewhere(what.read);
  },
};

function receive(frame) {
  if (frame.id !== undefined) return answer(frame);
  const [kind, body] = Object.entries(frame)[0] ?? [];
  if (!kind) return link.socket.send("{}");
  if (Object.hasOwn(pushed, kind)) return pushed[kind](body);
  const room = state.rooms.get(body?.room_id);
  if (!room || room.position === null || !isNext(room, body.seq)) return;
  if (kind === "message") hear(room, body);
}

function answer({ id, error, ...named }) {
  const waiting = link.answers.get(id);
  if (!waiting) return;
  link.answers.delete(id);
  if (error) waiting.reject(new Refusal(error));
  else waiting.resolve(named[waiting.name]);
}

/** True when the event is the next of its log, which then moves; one further on shows a gap. */
function isNext(log, seq) {
  if (!(seq > log.position)) return false;
  log.head = Math.max(log.head, seq);
  if (seq > log.position + 1) {
    if (link.owed === 0) sync(link);
    return false;
  }
  log.position = seq;
  return true;
}

function hear(room, message) {
  keep(room, message);
  trim(room.log);
  if (room.id === state.open && !document.hidden) look();
  else if (!isMine(message) && message.seq > room.read) room.unread += 1;
}

/** Lets go of the older half of a log that has grown long; "Earlier messages" fetches it again. */
function trim(log) {
  if (log.messages.size <= MOST_HELD || log.loading) return;
  const seqs = [...log.messages.keys()].sort((a, b) => a - b);
  for (const seq of seqs.slice(0, MOST_HELD / 2)) log.messages.delete(seq);
  log.earlier = true;
}

function readElsewhere({ room_id, seq }) {
  const room = state.rooms.get(room_id);
  if (!room || seq <= room.read) return;
  room.read = seq;
  room.unread = [...room.log.messages.values()].filter((message) => message.seq > seq && !isMine(message)).length;
}

async function startOver(room, seq) {
  if (!room) return;
  room.position = room.head = seq;
  room.log = emptyLog();
  if (room.id === state.open) look();
  const { log } = room;
  const facts = await api("GET", `/v1/rooms/${room.id}`).catch(() => null);
  if (facts && log === room.log && room.id !== state.open) count(room, facts);
  render();
}

/** Somebody looks at the open room: it needs its history, and what it shows is read. */
function look() {
  const room = openRoom();
  if (room.position === null || !link?.ready) return;
  if (!room.log.loaded) load(room);
  if (document.hidden) return;
  room.unread = 0;
  room.reading ||= setTimeout(markRead, READ_MS, room);
}

function markRead(room) {
  room.reading = 0;
  if (!link?.ready || room.read >= room.position) return;
  room.read = room.position;
  command("read", { room_id: room.id, seq: room.position }).catch(() => {});
}

// ---- view ----------------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
let painting = 0;
let shown = {}; // what the log showed last, to keep its place

function render() {
  painting ||= setTimeout(paint);
}

function paint() {
  painting = 0;
  const inside = state.token !== null;
  $("door").hidden = inside;
  $("chat").hidden = !inside;
  write($(inside ? "problem" : "door-problem"), state.problem);
  document.title = "Veche";
  if (!inside) return clear();
  write($("status"), state.status);
  $("status").dataset.now = state.status;
  write($("whoami"), state.me.name || state.me.username);
  paintRooms();
  paintMessages();
}

function clear() {
  for (const id of ["rooms", "messages"]) $(id).replaceChildren();
  for (const id of ["message", "room-name"]) $(id).value = "";
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` those of `items`, in order, keeping the nodes of the items it has already. */
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

function paintRooms() {
  const isIn = (room) => room.position !== null || room.id === LOBBY;
  const rank = (room) => (room.id === LOBBY ? 0 : isIn(room) ? 1 : 2);
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
    button.dataset.kind = isIn(room) ? room.kind : "outside";
    write(button.querySelector(".room-name"), room.name);
    write(button.querySelector(".room-mark"), isIn(room) ? (room.unread ? `${room.unread} new` : "") : "join");
  });
}

/** The same before and after the log has it: a message that is sent stays the node it was. */
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
  const atEnd = shown.room !== room.id || toEnd - frame.clientHeight < 80;
  const grewAbove = stored[0] && stored[0].seq < shown.first;

  write($("room-title"), room.name);
  $("earlier").hidden = !log.earlier;
  $("empty").hidden = !log.loaded || messages.length > 0;
  arrange($("messages"), messages, keyOf, $("message-template"), fillMessage);

  if (atEnd) frame.scrollTop = frame.scrollHeight;
  else if (grewAbove) frame.scrollTop = frame.scrollHeight - toEnd;
  shown = { room: room.id, first: stored[0]?.seq };
}

function fillMessage(node, message) {
  const { sender, text, at, kind, problem } = message;
  const mine = isMine(message);
  const phase = message.state ?? (mine ? "sent" : "");
  node.className = `message ${mine ? "mine" : ""} ${kind === "notice" ? "notice" : ""} ${phase}`;
  const name = sender ? sender.name || sender.username : "";
  write(node.querySelector(".face"), [...name][0]?.toUpperCase() ?? "");
  node.querySelector(".face").style.setProperty("--hue", ((sender?.id ?? 0) * 137) % 360);
  write(node.querySelector(".sender"), name);
  write(node.querySelector(".text"), text);
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
  state.open = room.id;
  state.problem = "";
  if (room.position !== null) look();
  else if (link?.ready && room.id !== LOBBY) join(room);
  if (matchMedia("(pointer: fine)").matches) $("message").focus();
  render();
}

function showRoomForm(show) {
  $("room-form").hidden = !show;
  $("new-room").setAttribute("aria-expanded", String(show));
  $("room-name").value = "";
  $(show ? "room-name" : "new-room").focus();
}

/** Does what a form asks; its refusal becomes a plain line, its button rests meanwhile. */
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

onSubmit($("door-form"), async (button) => {
  await sign(button?.value ?? "login", $("username").value.trim(), $("password").value);
  $("password").value = "";
  paint();
  $("message").focus();
});

onSubmit($("room-form"), async () => {
  const name = $("room-name").value.trim();
  $("message").disabled = true; // what is written from now on is meant for the new room
  const made = await api("POST", "/v1/rooms", { kind: "channel", name }).finally(() => {
    $("message").disabled = false;
  });
  const room = know(made);
  enter(room, made.head_seq);
  showRoomForm(false);
  visit(room);
});

onSubmit($("composer"), () => {
  const text = $("message").value;
  if (!text.trim()) return;
  if (new TextEncoder().encode(text).length > MAX_TEXT_BYTES) throw new Error("This message is too long.");
  const client_message_id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  state.outbox.push({ client_message_id, room_id: state.open, text, at: new Date().toISOString(), state: "sending" });
  $("message").value = "";
  $("message").focus();
  shown = {}; // show it, wherever the log stood
  pump();
});

$("message").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

$("new-room").addEventListener("click", () => showRoomForm($("room-form").hidden));
$("room-cancel").addEventListener("click", () => showRoomForm(false));
$("room-form").addEventListener("keydown", (event) => event.key === "Escape" && showRoomForm(false));
$("earlier").addEventListener("click", () => load(openRoom()));
$("sign-out").addEventListener("click", () => {
  const { token } = state;
  signOut();
  fetch("/v1/logout", { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch(() => {});
});

addEventListener("online", connect);
addEventListener("focus", lookForRooms);
setInterval(lookForRooms, NEWS_MS);
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !state.token) return;
  look();
  lookForRooms();
  render();
});

const session = sessionStorage.getItem("session");
if (session) start(JSON.parse(session));
else render();

// What the page knows: who is signed in, the rooms with their messages, what is typed and what is not sent yet.
//
// All of it is in memory, and the view shows it. Only keep.js stores a part of it in the browser. What the server has
// sent is never changed here: after a reload the page loads it again.

export const LOBBY = 2147483647;

const signedOut = () => ({
  token: null,
  me: null,
  epoch: undefined,
  own: { position: undefined, head: 0, past: 0 }, // the account's own log; `past`: its head in the answer to hello
  rooms: new Map(),
  early: new Map(), // of rooms that are not known yet: the seq before their first event
  invitations: new Map(), // by room: {room, by, at}
  found: [], // people who were looked for
  settled: false, // whether all rooms of the account are known
  open: LOBBY,
  atEnd: true, // whether the end of the open room's log is in view
  drafts: new Map(), // what is typed, by room
  outbox: [], // sent messages that are not in the log yet: {client_message_id, room_id, text, at, state, problem}
  status: "offline",
  problem: "",
});

export const state = signedOut();

export function forgetAccount(problem) {
  Object.assign(state, signedOut(), { problem });
}

export const emptyLog = () => ({ messages: new Map(), loaded: false, loading: false, earlier: false });

/** Adds or updates a room from the server's data. Its `position` is null while the socket is not subscribed to it. */
export function addRoom(data) {
  const room = state.rooms.get(data.id) ?? { id: data.id, position: null, head: 0, log: emptyLog() };
  room.kind = data.kind;
  room.name = data.name || "Unnamed";
  room.peer = data.peer; // the other person of a direct room
  if (room.position === null) setReadPointer(room, data);
  state.rooms.set(room.id, room);
  return room;
}

export function setReadPointer(room, { unread, read_seq }) {
  room.unread = unread ?? 0;
  room.read = read_seq ?? 0;
}

export function open(room) {
  state.open = room.id;
  state.atEnd = true;
}

export const openRoom = () => state.rooms.get(state.open);
export const isIn = (room) => room !== undefined && room.position !== null;
/** Whether this is a public room that the account has not joined. */
export const isOutside = (room) => state.settled && room.position === null && room.id !== LOBBY;
export const isMine = (message) => message.sender?.id === state.me.id;
export const isSeen = (room) => room.id === state.open && state.atEnd && !document.hidden;

export const subscribed = () => [...state.rooms.values()].filter((room) => room.position !== null);
export const behind = () => subscribed().filter((room) => room.head > room.position);
export const isBehind = () => state.own.head > state.own.position || behind().length > 0;

// What the server pushes: the events of rooms and of the account's own log, and what it says about the logs.

import { isNext, onCaughtUp } from "./catchup.js";
import { loadInvitations } from "./invitations.js";
import { onDeleted, onEdited, onMessage, onReadElsewhere } from "./reading.js";
import { endRoom, enterRoom, resetRoom } from "./rooms.js";
import { isIn, state } from "./state.js";
import { showProblem } from "./view.js";

const onPush = {
  error: ({ message }) => showProblem(message),
  caught_up: onCaughtUp,
  gone: ({ room_ids }) => room_ids.forEach((id) => endRoom(state.rooms.get(id))),
  reset: ({ me, room_id, seq }) => {
    if (me) Object.assign(state.own, { position: seq, head: seq }); // the answer to hello had the rooms
    else resetRoom(state.rooms.get(room_id), seq);
  },
  me: ({ seq, ...change }) => {
    if (isNext(state.own, seq)) onOwnChange(change, seq <= state.own.past);
  },
};

/** Takes a push: one of `onPush`, or else the event of a room. */
export function receivePush(kind, body) {
  if (Object.hasOwn(onPush, kind)) onPush[kind](body);
  else onRoomEvent(kind, body);
}

/** A replayed entry tells what happened. The answer to hello, with its pages and `gone`, tells what is so now. */
function onOwnChange({ joined, left, read, account, invited, uninvited }, isReplayed) {
  if (joined ?? invited ?? uninvited) state.invitations.delete((joined?.room ?? invited?.room)?.id ?? uninvited.room_id);
  if (joined && !isReplayed) enterRoom(joined.room);
  else if (invited && !isReplayed) onInvited(invited);
  else if (left && !isReplayed) endRoom(state.rooms.get(left.room_id));
  else if (read) onReadElsewhere(read);
  else if (account) Object.assign(state.me, account);
}

/** Shows an invitation. One into a direct room comes with its first message, which is asked for. */
function onInvited(invited) {
  state.invitations.set(invited.room.id, invited);
  if (invited.room.kind === "direct") loadInvitations();
}

function onRoomEvent(kind, body) {
  const room = state.rooms.get(body?.room_id);
  if (!isIn(room)) return onEarly(body);
  if (!isNext(room, body.seq)) return;
  if (kind === "message") onMessage(room, body);
  else if (kind === "edited") onEdited(room, body.message);
  else if (kind === "deleted") onDeleted(room, body);
  else if (kind === "renamed") room.name = body.name;
}

/** Notes where the events of a room began that is not known yet: there the page begins, once it has loaded the room. */
function onEarly({ room_id, seq }) {
  if (!state.settled && !state.early.has(room_id)) state.early.set(room_id, seq - 1);
}

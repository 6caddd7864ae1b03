// Finding people: to talk to one of them, or to invite one into the open room.

import { api } from "./api.js";
import { enterRoom } from "./rooms.js";
import { openRoom, state } from "./state.js";
import { render, showProblem } from "./view.js";

const PAUSE_MS = 300; // after the last key: the server limits how often somebody may look
const MIN_PREFIX = 2;

let waiting = 0;
let asked = 0;

/** Looks for people whose username, or a word of whose name, begins so, and shows them. */
export function lookForPeople(typed) {
  clearTimeout(waiting);
  const number = ++asked;
  if ([...typed].length < MIN_PREFIX) return show([]);
  waiting = setTimeout(async () => {
    const { token } = state;
    try {
      const { items } = await api("GET", `/v1/people?prefix=${encodeURIComponent(typed)}`);
      if (number === asked && token === state.token) show(items);
    } catch (refusal) {
      showProblem(refusal.message);
    }
  }, PAUSE_MS);
}

function show(people) {
  state.found = people;
  render();
}

/** Asks somebody for a direct room, or returns the one that the two have. */
export async function talkTo(id) {
  return enterRoom(await api("POST", "/v1/rooms", { kind: "direct", member_ids: [id] }));
}

/** Invites somebody into the open room. */
export async function invite(id) {
  await api("POST", `/v1/rooms/${openRoom().id}/invitations`, { account_id: id });
}

// What the account is invited into. To accept is to join the room.

import { allPages, api } from "./api.js";
import { addRoom, state } from "./state.js";
import { startRoom } from "./rooms.js";
import { render } from "./view.js";

export async function loadInvitations() {
  const { token } = state;
  const found = await allPages("/v1/invitations").catch(() => null);
  if (!found || token !== state.token) return;
  state.invitations = new Map(found.map((invitation) => [invitation.room.id, invitation]));
  render();
}

/** Joins a room, and returns it. */
export async function accept(id) {
  const joined = await api("POST", `/v1/rooms/${id}/join`);
  const room = addRoom(joined);
  startRoom(room, joined.head_seq);
  state.invitations.delete(id);
  return room;
}

export async function refuse(id) {
  await api("DELETE", `/v1/invitations/${id}`);
  state.invitations.delete(id);
  render();
}

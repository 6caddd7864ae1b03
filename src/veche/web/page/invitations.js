// What the account is invited into. To accept is to join the room.

import { allPages, api } from "./api.js";
import { enterRoom } from "./rooms.js";
import { state } from "./state.js";
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
  return entered(await api("POST", `/v1/rooms/${id}/join`));
}

/** Joins the room of the link in the address, `/#join=CODE`, if there is one, somebody has signed in, and they agree. */
export async function joinByAddress() {
  const [, code] = /^#join=([0-9a-z-]{1,64})$/.exec(location.hash) ?? [];
  if (!code || !state.token) return null;
  history.replaceState(null, "", location.pathname);
  const { room } = await api("GET", `/v1/links/${code}`);
  return confirm(`Join ${room.name}?`) ? entered(await api("POST", `/v1/links/${code}/join`)) : null;
}

function entered(joined) {
  const room = enterRoom(joined);
  state.invitations.delete(room.id);
  return room;
}

export async function refuse(id) {
  await api("DELETE", `/v1/invitations/${id}`);
  state.invitations.delete(id);
  render();
}

// The session: signing in and out, in all tabs of the browser.

import { api } from "./api.js";
import { connect, hangUp } from "./connection.js";
import { endSession, forget, forgetTab, hasEnded, keepSession, keptSession, keptTab, onOtherTab } from "./keep.js";
import { addRoom, forgetAccount, LOBBY, open, state } from "./state.js";
import { keep, render } from "./view.js";

/** Signs in or up. What has an @ after its first character is an e-mail; the page shows usernames with an @ before. */
export async function signIn(action, typed, password) {
  const name = /.@/u.test(typed) && action === "login" ? { email: typed } : { username: typed.replace(/^@/, "") };
  const { token, me } = await api("POST", `/v1/${action}`, { ...name, password });
  keepSession({ token, me });
  start({ token, me });
}

/** Signs out in all tabs: the others are told, see `followOtherTabs`. */
export function signOut() {
  const { token } = state;
  forget();
  stop();
  fetch("/v1/logout", { method: "POST", headers: { Authorization: `Bearer ${token}` } }).catch(() => {});
}

/** Goes on with the session that the browser keeps, if there is one. */
export function resumeSession() {
  const session = keptSession();
  if (!session && !hasEnded()) forgetTab();
  if (session) start(session);
  else render();
}

export function followOtherTabs() {
  onOtherTab((session) => {
    if (session) return void (session.token === state.token || start(session));
    if (!hasEnded()) forgetTab();
    if (!state.token) return;
    if (hasEnded()) onSessionEnded();
    else stop();
  });
}

/** Reacts to the end of the session that nobody asked for here. What is typed waits for the same person. */
export function onSessionEnded() {
  keep();
  endSession(state.token);
  stop("Your session has ended.");
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
  hangUp();
  forgetAccount(problem);
  render();
}

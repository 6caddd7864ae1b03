// What the browser keeps. The session is for all tabs (localStorage), so a second tab needs no password. What a tab
// shows and what is typed there is for this tab (sessionStorage). Signing out removes both; see docs/page.md.

const SESSION = "session"; // {token, me}; empty: the session has ended, but nobody has signed out
const TAB = "tab"; // {account, open, drafts, outbox}

let written = ""; // what `keepTab` wrote last

/** Runs `use`. Where the browser allows no storage, the page works without it. */
function attempt(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

export const keptSession = () => attempt(() => JSON.parse(localStorage.getItem(SESSION) || "null"));
export const keepSession = (session) => attempt(() => localStorage.setItem(SESSION, JSON.stringify(session)));

export const hasEnded = () => attempt(() => localStorage.getItem(SESSION)) === "";

/** Marks the session as ended. The tabs keep what is typed until somebody signs in. */
export function endSession(token) {
  if (keptSession()?.token === token) attempt(() => localStorage.setItem(SESSION, ""));
}

/** Forgets the session in all tabs, and what this tab keeps. The other tabs do so when they are told. */
export function forget() {
  attempt(() => localStorage.removeItem(SESSION));
  forgetTab();
}

export function forgetTab() {
  written = "";
  attempt(() => sessionStorage.removeItem(TAB));
}

/** Returns what this tab keeps of an account, or null. What it keeps of another account is forgotten. */
export function keptTab(account) {
  const tab = attempt(() => JSON.parse(sessionStorage.getItem(TAB)));
  if (tab?.account === account) return tab;
  forgetTab();
  return null;
}

export function keepTab(tab) {
  const text = JSON.stringify(tab);
  if (text === written) return;
  written = text;
  attempt(() => sessionStorage.setItem(TAB, text));
}

/** Calls `follow` with the session, or with null, when another tab has changed it. */
export function onOtherTab(follow) {
  addEventListener("storage", ({ storageArea, key }) => {
    if (storageArea === localStorage && (key === SESSION || key === null)) follow(keptSession());
  });
}

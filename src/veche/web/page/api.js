// Requests to the REST API.

import { state } from "./state.js";

/** What page.js decides: what happens when the server does not know the token any more. */
export const on = { sessionEnded() {} };

export class Refusal extends Error {
  constructor({ code, temporary, detail, message, title }) {
    super(detail || message || title || code);
    this.code = code;
    this.temporary = temporary;
  }
}

export async function api(method, path, body) {
  const { token } = state;
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Refusal({ code: "unreachable", temporary: true, message: "The server cannot be reached." });
  });
  const answer = response.status === 204 ? null : await response.json().catch(() => ({ title: response.statusText }));
  if (response.ok) return answer;
  if (token && token === state.token && answer.code === "unauthenticated") on.sessionEnded();
  throw new Refusal(answer);
}

export async function allPages(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await api("GET", `${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor);
  return items;
}

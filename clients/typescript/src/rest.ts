import { broken, VecheError, type Problem } from "./errors.js";
import type { Account, FullRoom, History, Id, Member, Page, Seq, Session, Tokens } from "./types.js";

type Query = Record<string, string | number | null | undefined>;

/** REST calls. Each throws a VecheError. */
export class Rest {
  /** The address of the server, such as "https://chat.example.com". */
  readonly url: string;
  token: string | null;
  readonly #fetch: typeof fetch;

  constructor(url: string, token: string | null = null, fetchBy: typeof fetch = fetch) {
    this.url = url.replace(/\/+$/, "");
    this.token = token;
    this.#fetch = fetchBy;
  }

  /** Signs in by `username` or `email`, and uses the token from now on. With `refresh`, it is short-lived. */
  login(
    who: { username: string } | { email: string },
    password: string,
    more: { refresh?: boolean } = {},
  ): Promise<Session> {
    return this.#signIn("login", { ...who, password, ...more });
  }

  /** Makes an account, and uses its token from now on. */
  register(username: string, password: string, more: { name?: string; email?: string; refresh?: boolean } = {}): Promise<Session> {
    return this.#signIn("register", { username, password, ...more });
  }

  async #signIn(call: string, body: object): Promise<Session> {
    const session = await this.call<Session>("POST", call, body);
    this.token = session.token;
    return session;
  }

  /** A new token, and the refresh token to go on with. The same one again gets the same answer. */
  refresh(refresh_token: string): Promise<Tokens> {
    return this.call("POST", "refresh", { refresh_token });
  }

  /** Ends the session, and its sockets. */
  logout(): Promise<void> {
    return this.call("POST", "logout");
  }

  me(): Promise<Account> {
    return this.call("GET", "me");
  }

  /** A page of your rooms without the lobby, by id. */
  rooms(page: { cursor?: string | null; limit?: number } = {}): Promise<Page<FullRoom>> {
    return this.call("GET", "rooms", undefined, page);
  }

  /** A page of all channels, and the lobby. */
  publicRooms(page: { cursor?: string | null; limit?: number } = {}): Promise<Page<FullRoom>> {
    return this.call("GET", "rooms/public", undefined, page);
  }

  room(id: Id): Promise<FullRoom> {
    return this.call("GET", `rooms/${id}`);
  }

  /** Makes a room, into which the others are invited, or returns the direct room that exists. */
  makeRoom(room: { kind: "direct" | "group" | "channel"; name?: string; member_ids?: Id[] }): Promise<FullRoom> {
    return this.call("POST", "rooms", room);
  }

  /** A page of members, by id. */
  members(room: Id, page: { cursor?: string | null; limit?: number } = {}): Promise<Page<Member>> {
    return this.call("GET", `rooms/${room}/members`, undefined, page);
  }

  /** Messages, oldest first: the newest ones, or those around, before or after a seq. */
  history(
    room: Id,
    where: { before_seq?: Seq; after_seq?: Seq; around_seq?: Seq; limit?: number } = {},
  ): Promise<History> {
    return this.call("GET", `rooms/${room}/messages`, undefined, where);
  }

  limits(): Promise<Record<string, number>> {
    return this.call("GET", "limits");
  }

  /** Any call below /v1/. */
  async call<Answer>(method: string, path: string, body?: object, query: Query = {}): Promise<Answer> {
    const given = Object.entries(query).filter(([, value]) => value != null) as [string, string][];
    const words = new URLSearchParams(given).toString();
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const answer = await this.#fetch.call(globalThis, `${this.url}/v1/${path}${words && `?${words}`}`, {
      method,
      headers,
      body: body ? JSON.stringify(body) : null,
    }).catch(() => {
      throw broken("unreachable", "The server cannot be reached.");
    });
    const found = await answer.json().catch(() => null);
    if (answer.ok) return found;
    throw refusalOf(answer, found);
  }
}

/** A proxy may answer without a problem document. Then the status decides. */
function refusalOf(answer: Response, found: Problem | null): VecheError {
  const { status, headers } = answer;
  const retry_after_ms = 1000 * Number(headers.get("Retry-After") ?? 0) || 0;
  if (found?.code) return new VecheError({ ...found, retry_after_ms });
  const code = status === 401 ? "unauthenticated" : `http_${status}`;
  return new VecheError({ code, title: answer.statusText, temporary: status >= 500 || status === 429, retry_after_ms });
}

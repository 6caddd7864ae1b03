import { backoff, needsToken, waitAfter } from "./backoff.js";
import { Commands, type Sending } from "./commands.js";
import { Connection, type Bye } from "./connection.js";
import { broken, refusal, VecheError } from "./errors.js";
import { Follower } from "./follower.js";
import { LOBBY } from "./logs.js";
import { Outbox } from "./outbox.js";
import { Refresher } from "./refresher.js";
import { Rest } from "./rest.js";
import type {
  Account,
  Id,
  LogEvent,
  Outgoing,
  Own,
  Person,
  Reset,
  Room,
  RoomEvents,
  Saved,
  Seq,
  Stored,
  Tokens,
} from "./types.js";

/** "waiting": until the next connection. "catching_up": what was missed is on its way. */
export type Status = "stopped" | "waiting" | "connecting" | "catching_up" | "caught_up";

/** Why the client has stopped by itself. `signIn`: the session has ended, so a new token is needed. */
export interface Stopped {
  /** The close code. */
  code: number;
  reason: string;
  signIn: boolean;
}

/** What a client tells. Each entry of a log comes once and in order, as `event`, and by its own name if it has one. */
export interface ClientEvents extends RoomEvents {
  event: LogEvent;
  /** An entry of your own log. `replayed`: it tells what happened, and `rooms` and `gone` tell what is so now. */
  me: Own & { replayed: boolean };
  /** Rooms that you are in, as of their `head_seq`: on each connection those of `hello`, then further pages. */
  rooms: Room[];
  /** Discard these rooms: you are not in them, or your copies cannot be continued. */
  gone: Id[];
  /** Discard your copy of this log, and fetch it again. Events after `seq` follow. */
  reset: Reset;
  caught_up: undefined;
  status: Status;
  /** What you sent or changed is stored. Its event comes too, before this or after it. */
  stored: { outgoing: Outgoing; answer: Stored };
  /** What you sent or changed was refused for good. */
  failed: { outgoing: Outgoing; error: VecheError };
  /** A frame without a seq, of a kind that this version does not know, or an `error` that answers no command. */
  push: { kind: string; body: Record<string, unknown> };
  stopped: Stopped;
}

export interface Options {
  /** The address of the server, such as "https://chat.example.com". */
  url: string;
  token: string;
  /** What an earlier client of the same account has saved. */
  saved?: Partial<Saved>;
  /** Returns a new token after the session has ended, or null: then the client stops. It may throw a VecheError. */
  signIn?: (reason: string) => Promise<string | null>;
  /** With it, the client replaces the token before it expires. */
  refreshToken?: string;
  /** Gets the new tokens, to be stored, before they are used. */
  refreshed?: (tokens: Tokens) => void;
  /** For an environment without one, such as Node 20. */
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
}

const NAMED =
  "message edited deleted reacted pinned joined left role banned unbanned invited uninvited owner updated renamed".split(" ");
const MARGIN_MS = 5_000;

/** A client of the native contract: it stays connected, resumes, sends until it is answered, and tells what happens. */
export class Client extends Commands {
  readonly rest: Rest;
  #options: Options;
  #follower: Follower;
  #outbox: Outbox;
  #status: Status = "stopped";
  #link: Connection | null = null;
  #failures = 0; // connections that ended before the client had caught up, since one where it had
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: number | undefined;
  #refresher: Refresher | null = null;

  constructor(options: Options) {
    super();
    this.#options = options;
    this.rest = new Rest(options.url, options.token, options.fetch);
    this.setToken(options.token, options.refreshToken);
    this.#outbox = new Outbox(options.saved?.outbox ?? [], {
      stored: (outgoing, answer) => this.emit("stored", { outgoing, answer }),
      failed: (outgoing, error) => this.emit("failed", { outgoing, error }),
    });
    this.#follower = new Follower(
      this.rest,
      {
        greeted: () => this.#greeted(),
        refused: (error) => this.#refused(error),
        behind: () => this.#setStatus("catching_up"),
        caughtUp: () => this.#caughtUp(),
        event: (event) => this.#event(event),
        own: (event, replayed) => this.emit("me", { ...event, replayed }),
        rooms: (rooms) => this.emit("rooms", rooms),
        gone: (rooms) => this.emit("gone", rooms),
        reset: (reset) => this.emit("reset", reset),
        push: (kind, body) => this.emit("push", { kind, body }),
      },
      options.saved,
    );
  }

  get status(): Status {
    return this.#status;
  }

  /** Who you are, while `hello` is answered. */
  get account(): Account | null {
    return this.#follower.account;
  }

  /** What to store together with the data. In the handler of an event, its position is included. */
  get saved(): Saved {
    const { epoch, me, rooms } = this.#follower.logs;
    return { epoch, me, rooms: this.#follower.logs.asked(rooms).rooms, outbox: this.#outbox.waiting };
  }

  /** Connects, and stays connected until `stop`. Does nothing while it runs. */
  start(): void {
    if (this.#status === "stopped") this.#connect();
  }

  /** Disconnects. What is not stored waits in `saved.outbox`. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop();
    this.#setStatus("stopped");
  }

  /** Connects at once if the client waits, for example because the network is back. */
  wake(): void {
    if (this.#status === "waiting" && this.#timer !== undefined) this.#connect();
  }

  /** Changes the token, perhaps to that of another session: for the next connection, and for REST. */
  setToken(token: string, refreshToken?: string): void {
    this.rest.token = token;
    this.#refresher?.stop();
    this.#refresher = refreshToken ? new Refresher(this.rest, refreshToken, this.#options.refreshed) : null;
  }

  /** Sends any command that has a client id, as `send` does. The id is put into the fields. */
  enqueue<Answer extends Stored>(command: string, fields: Outgoing["fields"], id = newId()): Sending<Answer> {
    const name = command === "send" ? "client_message_id" : "client_id";
    return { id, stored: this.#outbox.add({ id, command, fields: { ...fields, [name]: id } }) };
  }

  /** Joins a channel, or starts to hear the lobby. */
  join(room_id: Id): Promise<{ room_id: Id; head_seq: Seq }> {
    const link = this.#ready();
    return link ? this.#follower.join(link, room_id) : Promise.reject(offline());
  }

  /** Leaves a group or a channel, or ceases to hear the lobby. */
  async leave(room_id: Id): Promise<void> {
    await this.command("leave", { room_id });
    if (room_id === LOBBY) this.#follower.end([room_id]); // no event says so
  }

  /** Moves your read pointer forward. */
  async read(room_id: Id, seq: Seq): Promise<void> {
    await this.command("read", { room_id, seq });
  }

  /** A page of the people who receive the room now. */
  who(room_id: Id, cursor?: string): Promise<{ room_id: Id; online: Person[]; cursor: string | null }> {
    return this.command("who", { room_id, cursor });
  }

  /** Any command of the socket. Throws a VecheError: "offline" or "lost" if there is no answer. */
  command<Answer>(name: string, fields: object): Promise<Answer> {
    const link = this.#ready();
    return link ? link.command(name, fields) : Promise.reject(offline());
  }

  #ready(): Connection | null {
    return this.account && this.#link;
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  #connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#setStatus("connecting");
    if (this.#status !== "connecting") return; // a handler has stopped it
    const url = `${this.rest.url.replace(/^http/, "ws")}/v1/socket`;
    const link = new Connection(url, this.#options.WebSocket ?? WebSocket, {
      opened: () => this.#follower.greet(link),
      pushed: (kind, body) => this.#follower.pushed(kind, body),
      closed: (code, bye) => this.#closed(code, bye),
    });
    if (this.#silence) link.silence = this.#silence;
    this.#link = link;
  }

  #greeted(): void {
    const link = this.#link!;
    this.#setStatus("catching_up");
    if (link !== this.#link) return;
    this.#outbox.use(link);
    void this.#loadSilence(link);
    this.#refresher?.keepFresh(link);
  }

  #caughtUp(): void {
    this.#failures = 0;
    this.#setStatus("caught_up");
    if (this.#status === "caught_up") this.emit("caught_up", undefined);
  }

  #drop(): void {
    const link = this.#link;
    this.#link = null;
    this.#follower.drop();
    this.#outbox.use(null);
    this.#refresher?.stop();
    link?.close();
  }

  /** `hello` was refused. If that was not for now, the session has ended, or this client has a bug. */
  #refused({ code, message, temporary, retryAfter }: VecheError): void {
    const number = code === "unauthenticated" ? 4001 : temporary ? 0 : 4000;
    this.#closed(number, { code: number, reason: message, retry_after_ms: retryAfter });
  }

  #closed(closeCode: number, bye: Bye | null): void {
    this.#drop();
    const code = bye?.code ?? closeCode; // the close frame may be lost
    const reason = bye?.reason ?? "";
    const failures = this.#failures++;
    if (needsToken(code)) return void this.#signIn(code, reason, failures);
    const wait = waitAfter(code, bye?.retry_after_ms ?? 0, failures);
    if (wait === null) this.#stopped({ code, reason, signIn: false });
    else this.#later(() => this.#connect(), wait);
  }

  #later(act: () => void, wait: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, wait);
    this.#setStatus("waiting");
  }

  async #signIn(code: number, reason: string, failures: number): Promise<void> {
    this.#setStatus("waiting");
    const found = await this.#newToken(reason).catch(refusal);
    if (this.#status !== "waiting") return; // it was stopped meanwhile
    if (typeof found === "string") {
      if (found !== this.rest.token) this.setToken(found);
      this.#later(() => this.#connect(), failures ? backoff(failures) : 0);
    } else if (found?.temporary) {
      this.#later(() => void this.#signIn(code, reason, failures + 1), found.retryAfter + backoff(failures));
    } else this.#stopped({ code, reason, signIn: true });
  }

  /** By the refresh token, or else by `signIn`. */
  async #newToken(reason: string): Promise<string | null | undefined> {
    const failed = this.#refresher && (await this.#refresher.refresh().catch(refusal));
    if (failed?.temporary) throw failed;
    return this.#refresher && !failed ? this.rest.token : this.#options.signIn?.(reason);
  }

  #stopped(why: Stopped): void {
    this.stop();
    this.emit("stopped", why);
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.emit("status", status);
  }

  /** Takes the time of silence from the heartbeat of this server. If it cannot be loaded, the usual one holds. */
  async #loadSilence(link: Connection): Promise<void> {
    const limits = await this.rest.limits().catch(() => null);
    const { ping_interval_ms: every, pong_timeout_ms: within } = limits ?? {};
    if (every && within) link.silence = this.#silence = every + within + MARGIN_MS;
  }

  #event(event: LogEvent): void {
    this.emit("event", event);
    if (event.room_id !== null && NAMED.includes(event.kind)) this.emit(event.kind as "message", event.body as never);
  }
}

const offline = () => broken("offline", "Not connected.");

/** A new client message id. `crypto.randomUUID` is missing on pages without TLS. */
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

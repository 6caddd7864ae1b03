import type { Connection } from "./connection.js";
import { refusal, VecheError } from "./errors.js";
import { LOBBY, Logs, OWN } from "./logs.js";
import type { Rest } from "./rest.js";
import type { Account, FullRoom, Id, LogEvent, Own, Page, Reset, Room, Saved, Seq } from "./types.js";

const MAX_SYNC = 1_000;

/** What a follower tells. */
export interface Listener {
  greeted(): void;
  /** `hello` was refused. */
  refused(error: VecheError): void;
  behind(): void;
  caughtUp(): void;
  event(event: LogEvent): void;
  own(event: Own, replayed: boolean): void;
  rooms(rooms: Room[]): void;
  gone(rooms: Id[]): void;
  reset(reset: Reset): void;
  push(kind: string, body: Record<string, unknown>): void;
}

type Hello = { epoch: string; me: Account & { seq: Seq }; rooms: Room[]; rooms_cursor?: string };

/** Follows the logs of an account: hello, sync, the pages of rooms, and each entry once and in order. */
export class Follower {
  readonly logs: Logs;
  /** Who you are, while a connection is greeted. */
  account: Account | null = null;
  #rest: Rest;
  #listener: Listener;
  #link: Connection | null = null;
  #pending = 0; // hello, syncs and questions for rooms that are not done
  #asked: Id[] = []; // the logs with a gap in the last sync
  #past = 0; // the head of your own log in the last answer: up to it, its entries are replayed
  #synced = false; // whether that was an answer to `sync`, which does not have all your rooms
  #moves = 0; // how often you have joined or left while this client listened

  constructor(rest: Rest, listener: Listener, saved?: Partial<Saved>) {
    this.logs = new Logs(saved);
    this.#rest = rest;
    this.#listener = listener;
  }

  /** Says hello over a new connection. */
  greet(link: Connection): void {
    const { logs } = this;
    const listed = logs.rooms.slice(0, MAX_SYNC);
    const positions = logs.asked(logs.me === null ? listed : [OWN, ...listed]);
    this.#link = link;
    this.#pending = 1; // until `caught_up`
    this.#asked = [];
    link.ask<Hello>("hello", { token: this.#rest.token, epoch: logs.epoch ?? undefined, ...positions }, (answer) => {
      if (link !== this.#link) return;
      if (answer instanceof VecheError) this.#listener.refused(answer);
      else this.#greeted(link, answer, logs.rooms.slice(MAX_SYNC));
    });
  }

  /** Forgets the connection. */
  drop(): void {
    this.#link = null;
    this.account = null;
  }

  #greeted(link: Connection, { epoch, me, rooms, rooms_cursor }: Hello, unlisted: Id[]): void {
    const { seq, ...account } = me;
    const { logs } = this;
    const restored = logs.epoch !== null && logs.epoch !== epoch;
    logs.epoch = epoch;
    logs.begin(OWN, seq);
    this.account = account;
    this.#past = seq;
    this.#synced = false;
    if (restored) this.end(unlisted.splice(0));
    while (unlisted.length) this.#sync(link, unlisted.splice(0, MAX_SYNC));
    if (rooms_cursor) void this.#loadRooms(link, rooms_cursor);
    this.#take(rooms);
    if (link === this.#link) this.#listener.greeted(); // or a handler has stopped the client
  }

  #sync(link: Connection, logs: Id[]): void {
    this.#pending += 1;
    link.ask<{ me: Seq }>("sync", this.logs.asked(logs), (answer) => {
      if (link !== this.#link) return;
      if (answer instanceof VecheError) return link.lose(0);
      this.#past = answer.me;
      this.#synced = true;
    });
  }

  /** One of what was pending is done. If nothing is, and there is no gap, the client has caught up. */
  #settle(link: Connection): void {
    this.#pending -= 1;
    if (this.#pending > 0) return;
    const behind = this.logs.behind();
    if (!behind.length) {
      this.#asked = [];
      return this.#listener.caughtUp();
    }
    if (behind.some((log) => this.#asked.includes(log))) return link.lose(0); // a sync did not help
    this.#listener.behind();
    this.#asked = behind.slice(0, MAX_SYNC);
    this.#sync(link, this.#asked);
  }

  // ---- rooms -------------------------------------------------------------------------------------------------------

  #take(rooms: Room[]): void {
    for (const room of rooms) this.logs.begin(room.id, room.head_seq);
    if (rooms.length) this.#listener.rooms(rooms);
  }

  /** Ends to follow rooms. */
  end(rooms: Id[]): void {
    const gone = rooms.filter((id) => this.logs.end(id));
    if (gone.length) this.#listener.gone(gone);
  }

  /** Joins a channel or the lobby. Its position is there before the next frame is read. */
  join(link: Connection, room_id: Id): Promise<{ room_id: Id; head_seq: Seq }> {
    return new Promise((resolve, reject) =>
      link.ask<{ room_id: Id; head_seq: Seq }>("join", { room_id }, (answer) => {
        if (answer instanceof VecheError) return reject(answer);
        this.logs.begin(room_id, answer.head_seq);
        resolve(answer);
      }),
    );
  }

  /** Loads rooms page by page. `all`: those that are in no page are gone. */
  async #loadRooms(link: Connection, cursor: string | null, all = false): Promise<void> {
    this.#pending += 1;
    const unlisted = new Set(all ? this.logs.rooms : []);
    unlisted.delete(LOBBY); // it is in no page
    const moves = this.#moves;
    do {
      const page: Page<Room> | VecheError = await this.#steady(() => this.#rest.rooms({ cursor, limit: 200 }));
      if (link !== this.#link) return;
      if (page instanceof VecheError) return link.lose(0);
      for (const room of page.items) unlisted.delete(room.id);
      this.#take(page.items);
      cursor = page.cursor;
    } while (cursor && link === this.#link);
    if (link !== this.#link) return;
    if (all && moves !== this.#moves) void this.#loadRooms(link, null, true);
    else this.end([...unlisted]);
    this.#settle(link);
  }

  /** Looks whether you are in a room, after a replayed entry has said that you joined or left it. */
  async #check(link: Connection, id: Id): Promise<void> {
    this.#pending += 1;
    const room: FullRoom | VecheError = await this.#steady(() => this.#rest.room(id));
    if (link !== this.#link) return;
    if (room instanceof VecheError && room.code !== "not_found") return link.lose(0);
    if (room instanceof VecheError || (room.role === null && id !== LOBBY)) this.end([id]);
    else this.#take([room]);
    this.#settle(link);
  }

  /** Asks, and asks again if you have joined or left a room meanwhile: the answer may be older than that. */
  async #steady<Answer>(ask: () => Promise<Answer>): Promise<Answer | VecheError> {
    for (;;) {
      const moves = this.#moves;
      const answer = await ask().catch(refusal);
      if (moves === this.#moves) return answer;
    }
  }

  // ---- what the server pushes --------------------------------------------------------------------------------------

  pushed(kind: string, body: Record<string, unknown>): void {
    const link = this.#link!;
    const { seq, room_id } = body;
    if (kind === "caught_up") this.#settle(link);
    else if (kind === "gone") this.end(body.room_ids as Id[]);
    else if (kind === "reset") this.#reset(link, body);
    else if (typeof seq === "number" && kind === "me") this.#event(link, { kind, room_id: null, seq, body });
    else if (typeof seq === "number" && typeof room_id === "number") this.#event(link, { kind, room_id, seq, body });
    else this.#listener.push(kind, body);
  }

  #reset(link: Connection, { room_id = null, seq, reason }: Record<string, unknown>): void {
    const reset = { room_id, seq, reason } as Reset;
    this.logs.end(reset.room_id ?? OWN);
    this.logs.begin(reset.room_id ?? OWN, reset.seq);
    this.#listener.reset(reset);
    if (reset.room_id === null) void this.#loadRooms(link, null, true);
  }

  #event(link: Connection, event: LogEvent): void {
    if (!this.logs.take(event.room_id ?? OWN, event.seq)) return this.#noticeGap(link);
    if (event.room_id === null) this.#own(link, event);
    else this.#listener.event(event);
  }

  /** Holds what comes after a gap: `sync` brings it again, with what is missing. */
  #noticeGap(link: Connection): void {
    if (this.#pending || !this.logs.behind().length) return;
    this.#pending = 1;
    this.#settle(link);
  }

  #own(link: Connection, event: LogEvent): void {
    const body = event.body as Own;
    const replayed = event.seq <= this.#past;
    const id = body.joined?.room.id ?? body.left?.room_id;
    if (id !== undefined && !replayed) {
      this.#moves += 1;
      if (body.joined) this.logs.begin(id, body.joined.room.head_seq);
    }
    this.#listener.event(event);
    this.#listener.own(body, replayed);
    if (id === undefined || link !== this.#link) return;
    if (replayed && this.#synced) void this.#check(link, id);
    else if (!replayed && body.left) this.end([id]);
  }
}

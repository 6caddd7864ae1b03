import { backoff } from "./backoff.js";
import type { Connection } from "./connection.js";
import { refusal, VecheError } from "./errors.js";
import type { Id, Outgoing, Stored } from "./types.js";

const NOT_REFUSED = ["lost", "offline", "unauthenticated"]; // the connection or the session ended; the command was not refused

interface Promised {
  resolve(answer: never): void;
  reject(error: VecheError): void;
}

export interface Postman {
  stored(outgoing: Outgoing, answer: Stored): void;
  failed(outgoing: Outgoing, error: VecheError): void;
}

/**
 * The commands with a client id that are not answered yet: messages, and changes of messages. Each is sent again, with
 * the same id, until it is answered or refused for good. Those of one room are sent one after the other: so they are
 * stored in order, also if one is refused for now.
 */
export class Outbox {
  #waiting = new Map<string, Outgoing>();
  #promises = new Map<string, Promised>();
  #postman: Postman;
  #link: Connection | null = null;
  #busy = new Set<Id>(); // rooms with a message that is being sent over `#link`

  constructor(waiting: Outgoing[], postman: Postman) {
    for (const outgoing of waiting) this.#waiting.set(outgoing.id, outgoing);
    this.#postman = postman;
  }

  get waiting(): Outgoing[] {
    return [...this.#waiting.values()];
  }

  add<Answer extends Stored>(outgoing: Outgoing): Promise<Answer> {
    this.#waiting.set(outgoing.id, outgoing);
    const stored = new Promise<Answer>((resolve, reject) => this.#promises.set(outgoing.id, { resolve, reject }));
    stored.catch(() => {}); // whoever does not wait for it hears `failed`
    void this.#sendNext(outgoing.fields.room_id);
    return stored;
  }

  /** Sends what waits over a connection whose `hello` was answered. Null: there is none. */
  use(link: Connection | null): void {
    this.#link = link;
    this.#busy = new Set();
    for (const room of new Set(this.waiting.map(({ fields }) => fields.room_id))) void this.#sendNext(room);
  }

  async #sendNext(room: Id, tries = 0): Promise<void> {
    const [link, busy] = [this.#link, this.#busy];
    const outgoing = this.#first(room);
    if (!link || !outgoing || busy.has(room)) return;
    busy.add(room);
    const answer = await link.command<Stored>(outgoing.command, outgoing.fields).catch(refusal);
    const error = answer instanceof VecheError ? answer : null;
    if (error && NOT_REFUSED.includes(error.code)) return; // the room stays busy: the next connection sends it again
    if (error?.temporary) await new Promise((wake) => setTimeout(wake, error.retryAfter + backoff(tries)));
    else this.#done(outgoing, answer);
    busy.delete(room);
    if (busy === this.#busy) void this.#sendNext(room, error?.temporary ? tries + 1 : 0);
  }

  #first(room: Id): Outgoing | undefined {
    for (const outgoing of this.#waiting.values()) if (outgoing.fields.room_id === room) return outgoing;
    return undefined;
  }

  #done(outgoing: Outgoing, answer: Stored | VecheError): void {
    const promised = this.#promises.get(outgoing.id);
    this.#promises.delete(outgoing.id);
    this.#waiting.delete(outgoing.id);
    if (answer instanceof VecheError) {
      this.#postman.failed(outgoing, answer);
      promised?.reject(answer);
    } else {
      this.#postman.stored(outgoing, answer);
      promised?.resolve(answer as never);
    }
  }
}

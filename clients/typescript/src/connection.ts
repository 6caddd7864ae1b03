import { broken, VecheError, type Problem } from "./errors.js";

const ANSWER_MS = 30_000;
const MAX_TIMER_MS = 2 ** 31 - 1; // `setTimeout` takes no more
/** A frame may have so many bytes. */
const MAX_FRAME = 65_536;

type Fields = Record<string, unknown>;
type Done = (answer: unknown) => void;

export interface Bye {
  code: number;
  reason: string;
  retry_after_ms?: number;
}

export interface Watcher {
  opened(): void;
  pushed(kind: string, body: Fields): void;
  /** It ended. `code` is the close code; 0: there is none, because the connection is dead. */
  closed(code: number, bye: Bye | null): void;
}

/** One WebSocket: sends commands, matches their answers, answers the heartbeat, and notices a dead connection. */
export class Connection {
  #silence = 40_000;
  #socket: WebSocket;
  #watcher: Watcher | null;
  #bye: Bye | null = null;
  #waiting = new Map<number, { name: string; done: Done }>();
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, Socket: typeof WebSocket, watcher: Watcher) {
    this.#watcher = watcher;
    this.#socket = new Socket(url);
    this.#socket.onopen = () => this.#watcher?.opened();
    this.#socket.onclose = ({ code }) => this.lose(code);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onerror = () => {}; // `close` follows
    this.#listen();
  }

  /** Without a frame for so long from now on, the connection is dead. In milliseconds. */
  set silence(silence: number) {
    this.#silence = silence;
    this.#listen();
  }

  /**
   * Sends a command. `done` gets its answer, or a VecheError: also if the connection ends before. It is called at
   * once, before the next frame is read: a promise would be too late for what the answer to `hello` begins.
   */
  ask<Answer>(name: string, fields: object, done: (answer: Answer | VecheError) => void): void {
    const id = (this.#lastId += 1);
    const frame = JSON.stringify({ id, [name]: fields });
    if (!this.#watcher || this.#socket.readyState !== 1) return done(broken("offline", "Not connected."));
    if (bytesOf(frame) > MAX_FRAME) return done(new VecheError({ code: "too_large", message: "This is too long." }));
    const late = setTimeout(() => this.lose(0), ANSWER_MS);
    const answered = (answer: unknown) => {
      clearTimeout(late);
      done(answer as Answer);
    };
    this.#waiting.set(id, { name, done: answered });
    this.#socket.send(frame);
  }

  /** Sends a command, and returns its answer. Throws a VecheError. */
  command<Answer>(name: string, fields: object): Promise<Answer> {
    return new Promise((resolve, reject) =>
      this.ask<Answer>(name, fields, (answer) => (answer instanceof VecheError ? reject(answer) : resolve(answer))),
    );
  }

  /** Ends the connection, and tells the watcher. */
  lose(code: number): void {
    const watcher = this.#watcher;
    this.#watcher = null;
    watcher?.closed(code, this.#bye);
    this.close();
  }

  /** Ends the connection, and tells only who waits for an answer. */
  close(): void {
    this.#watcher = null;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { done } of waiting) done(broken("lost", "The connection was lost."));
  }

  #listen(): void {
    clearTimeout(this.#timer);
    if (this.#watcher) this.#timer = setTimeout(() => this.lose(0), Math.min(this.#silence, MAX_TIMER_MS));
  }

  #receive(data: unknown): void {
    this.#listen();
    let frame: Fields;
    try {
      frame = JSON.parse(data as string);
    } catch {
      return this.lose(0);
    }
    const [kind, body] = Object.entries(frame)[0] ?? [];
    if ("id" in frame) this.#answer(frame);
    else if (!kind) this.#socket.send("{}");
    else if (kind === "bye") this.#bye = body as Bye;
    else this.#watcher?.pushed(kind, (body ?? {}) as Fields);
  }

  #answer(frame: Fields): void {
    const waiting = this.#waiting.get(frame.id as number);
    this.#waiting.delete(frame.id as number);
    waiting?.done(frame.error ? new VecheError(frame.error as Problem) : frame[waiting.name]);
  }
}

const bytesOf = (text: string) => (text.length * 3 <= MAX_FRAME ? 0 : new TextEncoder().encode(text).length);

import type { Id, Saved, Seq } from "./types.js";

/** The key of your own log, among the ids of rooms. */
export const OWN = 0;
/** The id of the lobby. No answer that lists your rooms has it. */
export const LOBBY = 2147483647;

/** The positions of a client: for each log, the seq up to which it has applied the entries. */
export class Logs {
  epoch: string | null;
  positions = new Map<Id, Seq>();
  #seen = new Map<Id, Seq>(); // of logs with a gap: the highest seq that came

  constructor(saved?: Partial<Saved>) {
    this.epoch = saved?.epoch ?? null;
    for (const [id, seq] of Object.entries(saved?.rooms ?? {})) this.positions.set(Number(id), seq);
    if (saved?.me != null) this.positions.set(OWN, saved.me);
  }

  get me(): Seq | null {
    return this.positions.get(OWN) ?? null;
  }

  get rooms(): Id[] {
    return [...this.positions.keys()].filter((id) => id !== OWN);
  }

  /** Moves the position if an entry is the next of its log, and tells whether it is. After it may be a gap. */
  take(log: Id, seq: Seq): boolean {
    const position = this.positions.get(log) ?? seq - 1; // logs have no gaps, so it is the first since hello
    if (seq > position + 1) this.#seen.set(log, Math.max(seq, this.#seen.get(log) ?? 0));
    if (seq !== position + 1) return false;
    this.positions.set(log, seq);
    return true;
  }

  /** Begins a log, unless it has a position. */
  begin(log: Id, seq: Seq): void {
    if (!this.positions.has(log)) this.positions.set(log, seq);
  }

  end(log: Id): boolean {
    this.#seen.delete(log);
    return this.positions.delete(log);
  }

  /** The logs of which entries are missing. */
  behind(): Id[] {
    for (const [log, seq] of this.#seen) if ((this.positions.get(log) ?? seq) >= seq) this.#seen.delete(log);
    return [...this.#seen.keys()];
  }

  /** The positions in some logs, as `hello` and `sync` take them. */
  asked(logs: Id[]): { rooms: Record<string, Seq>; me?: Seq } {
    const pairs = logs.map((log) => [log, this.positions.get(log)!] as const);
    const rooms = Object.fromEntries(pairs.filter(([log]) => log !== OWN));
    return logs.includes(OWN) ? { rooms, me: this.positions.get(OWN)! } : { rooms };
  }
}

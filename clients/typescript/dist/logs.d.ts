import type { Id, Saved, Seq } from "./types.js";
/** The key of your own log, among the ids of rooms. */
export declare const OWN = 0;
/** The id of the lobby. No answer that lists your rooms has it. */
export declare const LOBBY = 2147483647;
/** The positions of a client: for each log, the seq up to which it has applied the entries. */
export declare class Logs {
    #private;
    epoch: string | null;
    positions: Map<number, number>;
    constructor(saved?: Partial<Saved>);
    get me(): Seq | null;
    get rooms(): Id[];
    /** Moves the position if an entry is the next of its log, and tells whether it is. After it may be a gap. */
    take(log: Id, seq: Seq): boolean;
    /** Begins a log, unless it has a position. */
    begin(log: Id, seq: Seq): void;
    end(log: Id): boolean;
    /** The logs of which entries are missing. */
    behind(): Id[];
    /** The positions in some logs, as `hello` and `sync` take them. */
    asked(logs: Id[]): {
        rooms: Record<string, Seq>;
        me?: Seq;
    };
}

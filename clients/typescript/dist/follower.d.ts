import type { Connection } from "./connection.js";
import { VecheError } from "./errors.js";
import { Logs } from "./logs.js";
import type { Rest } from "./rest.js";
import type { Account, Id, LogEvent, Own, Reset, Room, Saved, Seq } from "./types.js";
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
/** Follows the logs of an account: hello, sync, the pages of rooms, and each entry once and in order. */
export declare class Follower {
    #private;
    readonly logs: Logs;
    /** Who you are, while a connection is greeted. */
    account: Account | null;
    constructor(rest: Rest, listener: Listener, saved?: Partial<Saved>);
    /** Says hello over a new connection. */
    greet(link: Connection): void;
    /** Forgets the connection. */
    drop(): void;
    /** Ends to follow rooms. */
    end(rooms: Id[]): void;
    /** Joins a channel or the lobby. Its position is there before the next frame is read. */
    join(link: Connection, room_id: Id): Promise<{
        room_id: Id;
        head_seq: Seq;
    }>;
    pushed(kind: string, body: Record<string, unknown>): void;
}

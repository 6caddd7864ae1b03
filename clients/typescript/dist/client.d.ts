import { Commands, type Sending } from "./commands.js";
import { VecheError } from "./errors.js";
import { Rest } from "./rest.js";
import type { Account, Id, LogEvent, Outgoing, Own, Person, Reset, Room, RoomEvents, Saved, Seq, Stored, Tokens } from "./types.js";
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
    me: Own & {
        replayed: boolean;
    };
    /** Rooms that you are in, as of their `head_seq`: on each connection those of `hello`, then further pages. */
    rooms: Room[];
    /** Discard these rooms: you are not in them, or your copies cannot be continued. */
    gone: Id[];
    /** Discard your copy of this log, and fetch it again. Events after `seq` follow. */
    reset: Reset;
    caught_up: undefined;
    status: Status;
    /** What you sent or changed is stored. Its event comes too, before this or after it. */
    stored: {
        outgoing: Outgoing;
        answer: Stored;
    };
    /** What you sent or changed was refused for good. */
    failed: {
        outgoing: Outgoing;
        error: VecheError;
    };
    /** A frame without a seq, of a kind that this version does not know, or an `error` that answers no command. */
    push: {
        kind: string;
        body: Record<string, unknown>;
    };
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
/** A client of the native contract: it stays connected, resumes, sends until it is answered, and tells what happens. */
export declare class Client extends Commands {
    #private;
    readonly rest: Rest;
    constructor(options: Options);
    get status(): Status;
    /** Who you are, while `hello` is answered. */
    get account(): Account | null;
    /** What to store together with the data. In the handler of an event, its position is included. */
    get saved(): Saved;
    /** Connects, and stays connected until `stop`. Does nothing while it runs. */
    start(): void;
    /** Disconnects. What is not stored waits in `saved.outbox`. */
    stop(): void;
    /** Connects at once if the client waits, for example because the network is back. */
    wake(): void;
    /** Changes the token, perhaps to that of another session: for the next connection, and for REST. */
    setToken(token: string, refreshToken?: string): void;
    /** Sends any command that has a client id, as `send` does. The id is put into the fields. */
    enqueue<Answer extends Stored>(command: string, fields: Outgoing["fields"], id?: string): Sending<Answer>;
    /** Joins a channel, or starts to hear the lobby. */
    join(room_id: Id): Promise<{
        room_id: Id;
        head_seq: Seq;
    }>;
    /** Leaves a group or a channel, or ceases to hear the lobby. */
    leave(room_id: Id): Promise<void>;
    /** Moves your read pointer forward. */
    read(room_id: Id, seq: Seq): Promise<void>;
    /** A page of the people who receive the room now. */
    who(room_id: Id, cursor?: string): Promise<{
        room_id: Id;
        online: Person[];
        cursor: string | null;
    }>;
    /** Any command of the socket. Throws a VecheError: "offline" or "lost" if there is no answer. */
    command<Answer>(name: string, fields: object): Promise<Answer>;
}

import { VecheError } from "./errors.js";
type Fields = Record<string, unknown>;
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
export declare class Connection {
    #private;
    constructor(url: string, Socket: typeof WebSocket, watcher: Watcher);
    /** Without a frame for so long from now on, the connection is dead. In milliseconds. */
    set silence(silence: number);
    /**
     * Sends a command. `done` gets its answer, or a VecheError: also if the connection ends before. It is called at
     * once, before the next frame is read: a promise would be too late for what the answer to `hello` begins.
     */
    ask<Answer>(name: string, fields: object, done: (answer: Answer | VecheError) => void): void;
    /** Sends a command, and returns its answer. Throws a VecheError. */
    command<Answer>(name: string, fields: object): Promise<Answer>;
    /** Ends the connection, and tells the watcher. */
    lose(code: number): void;
    /** Ends the connection, and tells only who waits for an answer. */
    close(): void;
}
export {};

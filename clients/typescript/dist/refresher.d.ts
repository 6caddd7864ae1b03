import type { Connection } from "./connection.js";
import type { Rest } from "./rest.js";
import type { Tokens } from "./types.js";
/** Replaces the token of a session. `told` gets both new tokens, to be stored, before the token is used. */
export declare class Refresher {
    #private;
    constructor(rest: Rest, refreshToken: string, told?: (tokens: Tokens) => void);
    /** Gets a new token. Throws a VecheError: "unauthenticated" if the session has ended. */
    refresh(): Promise<void>;
    /**
     * Replaces the token before it expires, and gives it to a connection, until `stop`, or until the connection or the
     * session ends. The server says how long the token lives, so the clock of this machine may be wrong.
     */
    keepFresh(link: Connection, failures?: number): void;
    /** Stops what `keepFresh` began. */
    stop(): void;
}

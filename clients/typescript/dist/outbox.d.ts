import type { Connection } from "./connection.js";
import { VecheError } from "./errors.js";
import type { Outgoing, Stored } from "./types.js";
export interface Postman {
    stored(outgoing: Outgoing, answer: Stored): void;
    failed(outgoing: Outgoing, error: VecheError): void;
}
/**
 * The commands with a client id that are not answered yet: messages, and changes of messages. Each is sent again, with
 * the same id, until it is answered or refused for good. Those of one room are sent one after the other: so they are
 * stored in order, also if one is refused for now.
 */
export declare class Outbox {
    #private;
    constructor(waiting: Outgoing[], postman: Postman);
    get waiting(): Outgoing[];
    add<Answer extends Stored>(outgoing: Outgoing): Promise<Answer>;
    /** Sends what waits over a connection whose `hello` was answered. Null: there is none. */
    use(link: Connection | null): void;
}

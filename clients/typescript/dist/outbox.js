import { backoff } from "./backoff.js";
import { refusal, VecheError } from "./errors.js";
const NOT_REFUSED = ["lost", "offline", "unauthenticated"];
export class Outbox {
    #waiting = new Map();
    #promises = new Map();
    #postman;
    #link = null;
    #busy = new Set();
    constructor(waiting, postman) {
        for (const outgoing of waiting)
            this.#waiting.set(outgoing.id, outgoing);
        this.#postman = postman;
    }
    get waiting() {
        return [...this.#waiting.values()];
    }
    add(outgoing) {
        this.#waiting.set(outgoing.id, outgoing);
        const stored = new Promise((resolve, reject) => this.#promises.set(outgoing.id, { resolve, reject }));
        stored.catch(() => { });
        void this.#sendNext(outgoing.fields.room_id);
        return stored;
    }
    use(link) {
        this.#link = link;
        this.#busy = new Set();
        for (const room of new Set(this.waiting.map(({ fields }) => fields.room_id)))
            void this.#sendNext(room);
    }
    async #sendNext(room, tries = 0) {
        const [link, busy] = [this.#link, this.#busy];
        const outgoing = this.#first(room);
        if (!link || !outgoing || busy.has(room))
            return;
        busy.add(room);
        const answer = await link.command(outgoing.command, outgoing.fields).catch(refusal);
        const error = answer instanceof VecheError ? answer : null;
        if (error && NOT_REFUSED.includes(error.code))
            return;
        if (error?.temporary)
            await new Promise((wake) => setTimeout(wake, error.retryAfter + backoff(tries)));
        else
            this.#done(outgoing, answer);
        busy.delete(room);
        if (busy === this.#busy)
            void this.#sendNext(room, error?.temporary ? tries + 1 : 0);
    }
    #first(room) {
        for (const outgoing of this.#waiting.values())
            if (outgoing.fields.room_id === room)
                return outgoing;
        return undefined;
    }
    #done(outgoing, answer) {
        const promised = this.#promises.get(outgoing.id);
        this.#promises.delete(outgoing.id);
        this.#waiting.delete(outgoing.id);
        if (answer instanceof VecheError) {
            this.#postman.failed(outgoing, answer);
            promised?.reject(answer);
        }
        else {
            this.#postman.stored(outgoing, answer);
            promised?.resolve(answer);
        }
    }
}

import { broken, VecheError } from "./errors.js";
const ANSWER_MS = 30_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_FRAME = 65_536;
export class Connection {
    #silence = 40_000;
    #socket;
    #watcher;
    #bye = null;
    #waiting = new Map();
    #lastId = 0;
    #timer;
    constructor(url, Socket, watcher) {
        this.#watcher = watcher;
        this.#socket = new Socket(url);
        this.#socket.onopen = () => this.#watcher?.opened();
        this.#socket.onclose = ({ code }) => this.lose(code);
        this.#socket.onmessage = ({ data }) => this.#receive(data);
        this.#socket.onerror = () => { };
        this.#listen();
    }
    set silence(silence) {
        this.#silence = silence;
        this.#listen();
    }
    ask(name, fields, done) {
        const id = (this.#lastId += 1);
        const frame = JSON.stringify({ id, [name]: fields });
        if (!this.#watcher || this.#socket.readyState !== 1)
            return done(broken("offline", "Not connected."));
        if (bytesOf(frame) > MAX_FRAME)
            return done(new VecheError({ code: "too_large", message: "This is too long." }));
        const late = setTimeout(() => this.lose(0), ANSWER_MS);
        const answered = (answer) => {
            clearTimeout(late);
            done(answer);
        };
        this.#waiting.set(id, { name, done: answered });
        this.#socket.send(frame);
    }
    command(name, fields) {
        return new Promise((resolve, reject) => this.ask(name, fields, (answer) => (answer instanceof VecheError ? reject(answer) : resolve(answer))));
    }
    lose(code) {
        const watcher = this.#watcher;
        this.#watcher = null;
        watcher?.closed(code, this.#bye);
        this.close();
    }
    close() {
        this.#watcher = null;
        clearTimeout(this.#timer);
        const socket = this.#socket;
        socket.onopen = socket.onclose = socket.onmessage = null;
        socket.close();
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const { done } of waiting)
            done(broken("lost", "The connection was lost."));
    }
    #listen() {
        clearTimeout(this.#timer);
        if (this.#watcher)
            this.#timer = setTimeout(() => this.lose(0), Math.min(this.#silence, MAX_TIMER_MS));
    }
    #receive(data) {
        this.#listen();
        let frame;
        try {
            frame = JSON.parse(data);
        }
        catch {
            return this.lose(0);
        }
        const [kind, body] = Object.entries(frame)[0] ?? [];
        if ("id" in frame)
            this.#answer(frame);
        else if (!kind)
            this.#socket.send("{}");
        else if (kind === "bye")
            this.#bye = body;
        else
            this.#watcher?.pushed(kind, (body ?? {}));
    }
    #answer(frame) {
        const waiting = this.#waiting.get(frame.id);
        this.#waiting.delete(frame.id);
        waiting?.done(frame.error ? new VecheError(frame.error) : frame[waiting.name]);
    }
}
const bytesOf = (text) => (text.length * 3 <= MAX_FRAME ? 0 : new TextEncoder().encode(text).length);

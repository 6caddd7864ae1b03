import { backoff, needsToken, waitAfter } from "./backoff.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection.js";
import { broken, refusal, VecheError } from "./errors.js";
import { Follower } from "./follower.js";
import { LOBBY } from "./logs.js";
import { Outbox } from "./outbox.js";
import { Refresher } from "./refresher.js";
import { Rest } from "./rest.js";
const NAMED = "message edited deleted reacted pinned joined left role banned unbanned invited uninvited owner updated renamed".split(" ");
const MARGIN_MS = 5_000;
export class Client extends Commands {
    rest;
    #options;
    #follower;
    #outbox;
    #status = "stopped";
    #link = null;
    #failures = 0;
    #timer;
    #silence;
    #refresher = null;
    constructor(options) {
        super();
        this.#options = options;
        this.rest = new Rest(options.url, options.token, options.fetch);
        this.setToken(options.token, options.refreshToken);
        this.#outbox = new Outbox(options.saved?.outbox ?? [], {
            stored: (outgoing, answer) => this.emit("stored", { outgoing, answer }),
            failed: (outgoing, error) => this.emit("failed", { outgoing, error }),
        });
        this.#follower = new Follower(this.rest, {
            greeted: () => this.#greeted(),
            refused: (error) => this.#refused(error),
            behind: () => this.#setStatus("catching_up"),
            caughtUp: () => this.#caughtUp(),
            event: (event) => this.#event(event),
            own: (event, replayed) => this.emit("me", { ...event, replayed }),
            rooms: (rooms) => this.emit("rooms", rooms),
            gone: (rooms) => this.emit("gone", rooms),
            reset: (reset) => this.emit("reset", reset),
            push: (kind, body) => this.emit("push", { kind, body }),
        }, options.saved);
    }
    get status() {
        return this.#status;
    }
    get account() {
        return this.#follower.account;
    }
    get saved() {
        const { epoch, me, rooms } = this.#follower.logs;
        return { epoch, me, rooms: this.#follower.logs.asked(rooms).rooms, outbox: this.#outbox.waiting };
    }
    start() {
        if (this.#status === "stopped")
            this.#connect();
    }
    stop() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#drop();
        this.#setStatus("stopped");
    }
    wake() {
        if (this.#status === "waiting" && this.#timer !== undefined)
            this.#connect();
    }
    setToken(token, refreshToken) {
        this.rest.token = token;
        this.#refresher?.stop();
        this.#refresher = refreshToken ? new Refresher(this.rest, refreshToken, this.#options.refreshed) : null;
    }
    enqueue(command, fields, id = newId()) {
        const name = command === "send" ? "client_message_id" : "client_id";
        return { id, stored: this.#outbox.add({ id, command, fields: { ...fields, [name]: id } }) };
    }
    join(room_id) {
        const link = this.#ready();
        return link ? this.#follower.join(link, room_id) : Promise.reject(offline());
    }
    async leave(room_id) {
        await this.command("leave", { room_id });
        if (room_id === LOBBY)
            this.#follower.end([room_id]);
    }
    async read(room_id, seq) {
        await this.command("read", { room_id, seq });
    }
    who(room_id, cursor) {
        return this.command("who", { room_id, cursor });
    }
    command(name, fields) {
        const link = this.#ready();
        return link ? link.command(name, fields) : Promise.reject(offline());
    }
    #ready() {
        return this.account && this.#link;
    }
    #connect() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#setStatus("connecting");
        if (this.#status !== "connecting")
            return;
        const url = `${this.rest.url.replace(/^http/, "ws")}/v1/socket`;
        const link = new Connection(url, this.#options.WebSocket ?? WebSocket, {
            opened: () => this.#follower.greet(link),
            pushed: (kind, body) => this.#follower.pushed(kind, body),
            closed: (code, bye) => this.#closed(code, bye),
        });
        if (this.#silence)
            link.silence = this.#silence;
        this.#link = link;
    }
    #greeted() {
        const link = this.#link;
        this.#setStatus("catching_up");
        if (link !== this.#link)
            return;
        this.#outbox.use(link);
        void this.#loadSilence(link);
        this.#refresher?.keepFresh(link);
    }
    #caughtUp() {
        this.#failures = 0;
        this.#setStatus("caught_up");
        if (this.#status === "caught_up")
            this.emit("caught_up", undefined);
    }
    #drop() {
        const link = this.#link;
        this.#link = null;
        this.#follower.drop();
        this.#outbox.use(null);
        this.#refresher?.stop();
        link?.close();
    }
    #refused({ code, message, temporary, retryAfter }) {
        const number = code === "unauthenticated" ? 4001 : temporary ? 0 : 4000;
        this.#closed(number, { code: number, reason: message, retry_after_ms: retryAfter });
    }
    #closed(closeCode, bye) {
        this.#drop();
        const code = bye?.code ?? closeCode;
        const reason = bye?.reason ?? "";
        const failures = this.#failures++;
        if (needsToken(code))
            return void this.#signIn(code, reason, failures);
        const wait = waitAfter(code, bye?.retry_after_ms ?? 0, failures);
        if (wait === null)
            this.#stopped({ code, reason, signIn: false });
        else
            this.#later(() => this.#connect(), wait);
    }
    #later(act, wait) {
        this.#timer = setTimeout(() => {
            this.#timer = undefined;
            act();
        }, wait);
        this.#setStatus("waiting");
    }
    async #signIn(code, reason, failures) {
        this.#setStatus("waiting");
        const found = await this.#newToken(reason).catch(refusal);
        if (this.#status !== "waiting")
            return;
        if (typeof found === "string") {
            if (found !== this.rest.token)
                this.setToken(found);
            this.#later(() => this.#connect(), failures ? backoff(failures) : 0);
        }
        else if (found?.temporary) {
            this.#later(() => void this.#signIn(code, reason, failures + 1), found.retryAfter + backoff(failures));
        }
        else
            this.#stopped({ code, reason, signIn: true });
    }
    async #newToken(reason) {
        const failed = this.#refresher && (await this.#refresher.refresh().catch(refusal));
        if (failed?.temporary)
            throw failed;
        return this.#refresher && !failed ? this.rest.token : this.#options.signIn?.(reason);
    }
    #stopped(why) {
        this.stop();
        this.emit("stopped", why);
    }
    #setStatus(status) {
        if (status === this.#status)
            return;
        this.#status = status;
        this.emit("status", status);
    }
    async #loadSilence(link) {
        const limits = await this.rest.limits().catch(() => null);
        const { ping_interval_ms: every, pong_timeout_ms: within } = limits ?? {};
        if (every && within)
            link.silence = this.#silence = every + within + MARGIN_MS;
    }
    #event(event) {
        this.emit("event", event);
        if (event.room_id !== null && NAMED.includes(event.kind))
            this.emit(event.kind, event.body);
    }
}
const offline = () => broken("offline", "Not connected.");
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

import { refusal, VecheError } from "./errors.js";
import { LOBBY, Logs, OWN } from "./logs.js";
const MAX_SYNC = 1_000;
export class Follower {
    logs;
    account = null;
    #rest;
    #listener;
    #link = null;
    #pending = 0;
    #asked = [];
    #past = 0;
    #synced = false;
    #moves = 0;
    constructor(rest, listener, saved) {
        this.logs = new Logs(saved);
        this.#rest = rest;
        this.#listener = listener;
    }
    greet(link) {
        const { logs } = this;
        const listed = logs.rooms.slice(0, MAX_SYNC);
        const positions = logs.asked(logs.me === null ? listed : [OWN, ...listed]);
        this.#link = link;
        this.#pending = 1;
        this.#asked = [];
        link.ask("hello", { token: this.#rest.token, epoch: logs.epoch ?? undefined, ...positions }, (answer) => {
            if (link !== this.#link)
                return;
            if (answer instanceof VecheError)
                this.#listener.refused(answer);
            else
                this.#greeted(link, answer, logs.rooms.slice(MAX_SYNC));
        });
    }
    drop() {
        this.#link = null;
        this.account = null;
    }
    #greeted(link, { epoch, me, rooms, rooms_cursor }, unlisted) {
        const { seq, ...account } = me;
        const { logs } = this;
        const restored = logs.epoch !== null && logs.epoch !== epoch;
        logs.epoch = epoch;
        logs.begin(OWN, seq);
        this.account = account;
        this.#past = seq;
        this.#synced = false;
        if (restored)
            this.end(unlisted.splice(0));
        while (unlisted.length)
            this.#sync(link, unlisted.splice(0, MAX_SYNC));
        if (rooms_cursor)
            void this.#loadRooms(link, rooms_cursor);
        this.#take(rooms);
        if (link === this.#link)
            this.#listener.greeted();
    }
    #sync(link, logs) {
        this.#pending += 1;
        link.ask("sync", this.logs.asked(logs), (answer) => {
            if (link !== this.#link)
                return;
            if (answer instanceof VecheError)
                return link.lose(0);
            this.#past = answer.me;
            this.#synced = true;
        });
    }
    #settle(link) {
        this.#pending -= 1;
        if (this.#pending > 0)
            return;
        const behind = this.logs.behind();
        if (!behind.length) {
            this.#asked = [];
            return this.#listener.caughtUp();
        }
        if (behind.some((log) => this.#asked.includes(log)))
            return link.lose(0);
        this.#listener.behind();
        this.#asked = behind.slice(0, MAX_SYNC);
        this.#sync(link, this.#asked);
    }
    #take(rooms) {
        for (const room of rooms)
            this.logs.begin(room.id, room.head_seq);
        if (rooms.length)
            this.#listener.rooms(rooms);
    }
    end(rooms) {
        const gone = rooms.filter((id) => this.logs.end(id));
        if (gone.length)
            this.#listener.gone(gone);
    }
    join(link, room_id) {
        return new Promise((resolve, reject) => link.ask("join", { room_id }, (answer) => {
            if (answer instanceof VecheError)
                return reject(answer);
            this.logs.begin(room_id, answer.head_seq);
            resolve(answer);
        }));
    }
    async #loadRooms(link, cursor, all = false) {
        this.#pending += 1;
        const unlisted = new Set(all ? this.logs.rooms : []);
        unlisted.delete(LOBBY);
        const moves = this.#moves;
        do {
            const page = await this.#steady(() => this.#rest.rooms({ cursor, limit: 200 }));
            if (link !== this.#link)
                return;
            if (page instanceof VecheError)
                return link.lose(0);
            for (const room of page.items)
                unlisted.delete(room.id);
            this.#take(page.items);
            cursor = page.cursor;
        } while (cursor && link === this.#link);
        if (link !== this.#link)
            return;
        if (all && moves !== this.#moves)
            void this.#loadRooms(link, null, true);
        else
            this.end([...unlisted]);
        this.#settle(link);
    }
    async #check(link, id) {
        this.#pending += 1;
        const room = await this.#steady(() => this.#rest.room(id));
        if (link !== this.#link)
            return;
        if (room instanceof VecheError && room.code !== "not_found")
            return link.lose(0);
        if (room instanceof VecheError || (room.role === null && id !== LOBBY))
            this.end([id]);
        else
            this.#take([room]);
        this.#settle(link);
    }
    async #steady(ask) {
        for (;;) {
            const moves = this.#moves;
            const answer = await ask().catch(refusal);
            if (moves === this.#moves)
                return answer;
        }
    }
    pushed(kind, body) {
        const link = this.#link;
        const { seq, room_id } = body;
        if (kind === "caught_up")
            this.#settle(link);
        else if (kind === "gone")
            this.end(body.room_ids);
        else if (kind === "reset")
            this.#reset(link, body);
        else if (typeof seq === "number" && kind === "me")
            this.#event(link, { kind, room_id: null, seq, body });
        else if (typeof seq === "number" && typeof room_id === "number")
            this.#event(link, { kind, room_id, seq, body });
        else
            this.#listener.push(kind, body);
    }
    #reset(link, { room_id = null, seq, reason }) {
        const reset = { room_id, seq, reason };
        this.logs.end(reset.room_id ?? OWN);
        this.logs.begin(reset.room_id ?? OWN, reset.seq);
        this.#listener.reset(reset);
        if (reset.room_id === null)
            void this.#loadRooms(link, null, true);
    }
    #event(link, event) {
        if (!this.logs.take(event.room_id ?? OWN, event.seq))
            return this.#noticeGap(link);
        if (event.room_id === null)
            this.#own(link, event);
        else
            this.#listener.event(event);
    }
    #noticeGap(link) {
        if (this.#pending || !this.logs.behind().length)
            return;
        this.#pending = 1;
        this.#settle(link);
    }
    #own(link, event) {
        const body = event.body;
        const replayed = event.seq <= this.#past;
        const id = body.joined?.room.id ?? body.left?.room_id;
        if (id !== undefined && !replayed) {
            this.#moves += 1;
            if (body.joined)
                this.logs.begin(id, body.joined.room.head_seq);
        }
        this.#listener.event(event);
        this.#listener.own(body, replayed);
        if (id === undefined || link !== this.#link)
            return;
        if (replayed && this.#synced)
            void this.#check(link, id);
        else if (!replayed && body.left)
            this.end([id]);
    }
}

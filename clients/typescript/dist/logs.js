export const OWN = 0;
export const LOBBY = 2147483647;
export class Logs {
    epoch;
    positions = new Map();
    #seen = new Map();
    constructor(saved) {
        this.epoch = saved?.epoch ?? null;
        for (const [id, seq] of Object.entries(saved?.rooms ?? {}))
            this.positions.set(Number(id), seq);
        if (saved?.me != null)
            this.positions.set(OWN, saved.me);
    }
    get me() {
        return this.positions.get(OWN) ?? null;
    }
    get rooms() {
        return [...this.positions.keys()].filter((id) => id !== OWN);
    }
    take(log, seq) {
        const position = this.positions.get(log) ?? seq - 1;
        if (seq > position + 1)
            this.#seen.set(log, Math.max(seq, this.#seen.get(log) ?? 0));
        if (seq !== position + 1)
            return false;
        this.positions.set(log, seq);
        return true;
    }
    begin(log, seq) {
        if (!this.positions.has(log))
            this.positions.set(log, seq);
    }
    end(log) {
        this.#seen.delete(log);
        return this.positions.delete(log);
    }
    behind() {
        for (const [log, seq] of this.#seen)
            if ((this.positions.get(log) ?? seq) >= seq)
                this.#seen.delete(log);
        return [...this.#seen.keys()];
    }
    asked(logs) {
        const pairs = logs.map((log) => [log, this.positions.get(log)]);
        const rooms = Object.fromEntries(pairs.filter(([log]) => log !== OWN));
        return logs.includes(OWN) ? { rooms, me: this.positions.get(OWN) } : { rooms };
    }
}

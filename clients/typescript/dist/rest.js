import { broken, VecheError } from "./errors.js";
export class Rest {
    url;
    token;
    #fetch;
    constructor(url, token = null, fetchBy = fetch) {
        this.url = url.replace(/\/+$/, "");
        this.token = token;
        this.#fetch = fetchBy;
    }
    login(who, password, more = {}) {
        return this.#signIn("login", { ...who, password, ...more });
    }
    register(username, password, more = {}) {
        return this.#signIn("register", { username, password, ...more });
    }
    async #signIn(call, body) {
        const session = await this.call("POST", call, body);
        this.token = session.token;
        return session;
    }
    refresh(refresh_token) {
        return this.call("POST", "refresh", { refresh_token });
    }
    logout() {
        return this.call("POST", "logout");
    }
    me() {
        return this.call("GET", "me");
    }
    rooms(page = {}) {
        return this.call("GET", "rooms", undefined, page);
    }
    publicRooms(page = {}) {
        return this.call("GET", "rooms/public", undefined, page);
    }
    room(id) {
        return this.call("GET", `rooms/${id}`);
    }
    makeRoom(room) {
        return this.call("POST", "rooms", room);
    }
    members(room, page = {}) {
        return this.call("GET", `rooms/${room}/members`, undefined, page);
    }
    history(room, where = {}) {
        return this.call("GET", `rooms/${room}/messages`, undefined, where);
    }
    limits() {
        return this.call("GET", "limits");
    }
    async call(method, path, body, query = {}) {
        const given = Object.entries(query).filter(([, value]) => value != null);
        const words = new URLSearchParams(given).toString();
        const headers = { "Content-Type": "application/json" };
        if (this.token)
            headers.Authorization = `Bearer ${this.token}`;
        const answer = await this.#fetch.call(globalThis, `${this.url}/v1/${path}${words && `?${words}`}`, {
            method,
            headers,
            body: body ? JSON.stringify(body) : null,
        }).catch(() => {
            throw broken("unreachable", "The server cannot be reached.");
        });
        const found = await answer.json().catch(() => null);
        if (answer.ok)
            return found;
        throw refusalOf(answer, found);
    }
}
function refusalOf(answer, found) {
    const { status, headers } = answer;
    const retry_after_ms = 1000 * Number(headers.get("Retry-After") ?? 0) || 0;
    if (found?.code)
        return new VecheError({ ...found, retry_after_ms });
    const code = status === 401 ? "unauthenticated" : `http_${status}`;
    return new VecheError({ code, title: answer.statusText, temporary: status >= 500 || status === 429, retry_after_ms });
}

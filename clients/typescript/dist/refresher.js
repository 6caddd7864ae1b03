import { backoff } from "./backoff.js";
import { VecheError } from "./errors.js";
const MAX_TIMER_MS = 2 ** 31 - 1;
export class Refresher {
    #rest;
    #refreshToken;
    #told;
    #running = null;
    #timer;
    constructor(rest, refreshToken, told) {
        this.#rest = rest;
        this.#refreshToken = refreshToken;
        this.#told = told;
    }
    refresh() {
        this.#running ??= this.#refresh().finally(() => (this.#running = null));
        return this.#running;
    }
    async #refresh() {
        const tokens = await this.#rest.refresh(this.#refreshToken);
        this.#refreshToken = tokens.refresh_token;
        this.#told?.(tokens);
        this.#rest.token = tokens.token;
    }
    keepFresh(link, failures = 0) {
        link.ask("refresh", { token: this.#rest.token }, (answer) => {
            if (answer instanceof VecheError)
                return this.#failed(link, answer, failures);
            const used = answer.expires_in * 1000 * (0.7 + Math.random() * 0.1);
            this.#later(() => this.refresh().then(() => this.keepFresh(link), (error) => this.#failed(link, error, failures)), used);
        });
    }
    stop() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
    }
    #failed(link, error, failures) {
        if (!error.temporary || error.code === "lost" || error.code === "offline")
            return;
        this.#later(() => this.keepFresh(link, failures + 1), error.retryAfter + backoff(failures + 1));
    }
    #later(act, wait) {
        this.stop();
        this.#timer = setTimeout(act, Math.min(wait, MAX_TIMER_MS));
    }
}

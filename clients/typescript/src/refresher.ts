import { backoff } from "./backoff.js";
import type { Connection } from "./connection.js";
import { VecheError } from "./errors.js";
import type { Rest } from "./rest.js";
import type { Tokens } from "./types.js";

const MAX_TIMER_MS = 2 ** 31 - 1; // `setTimeout` takes no more

/** Replaces the token of a session. `told` gets both new tokens, to be stored, before the token is used. */
export class Refresher {
  #rest: Rest;
  #refreshToken: string;
  #told: ((tokens: Tokens) => void) | undefined;
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(rest: Rest, refreshToken: string, told?: (tokens: Tokens) => void) {
    this.#rest = rest;
    this.#refreshToken = refreshToken;
    this.#told = told;
  }

  /** Gets a new token. Throws a VecheError: "unauthenticated" if the session has ended. */
  refresh(): Promise<void> {
    this.#running ??= this.#refresh().finally(() => (this.#running = null));
    return this.#running;
  }

  async #refresh(): Promise<void> {
    const tokens = await this.#rest.refresh(this.#refreshToken);
    this.#refreshToken = tokens.refresh_token;
    this.#told?.(tokens);
    this.#rest.token = tokens.token;
  }

  /**
   * Replaces the token before it expires, and gives it to a connection, until `stop`, or until the connection or the
   * session ends. The server says how long the token lives, so the clock of this machine may be wrong.
   */
  keepFresh(link: Connection, failures = 0): void {
    link.ask<{ expires_in: number }>("refresh", { token: this.#rest.token }, (answer) => {
      if (answer instanceof VecheError) return this.#failed(link, answer, failures);
      const used = answer.expires_in * 1000 * (0.7 + Math.random() * 0.1); // not all clients refresh at once
      this.#later(() => this.refresh().then(() => this.keepFresh(link), (error) => this.#failed(link, error, failures)), used);
    });
  }

  /** Stops what `keepFresh` began. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #failed(link: Connection, error: VecheError, failures: number): void {
    if (!error.temporary || error.code === "lost" || error.code === "offline") return;
    this.#later(() => this.keepFresh(link, failures + 1), error.retryAfter + backoff(failures + 1));
  }

  #later(act: () => void, wait: number): void {
    this.stop();
    this.#timer = setTimeout(act, Math.min(wait, MAX_TIMER_MS));
  }
}

/** Close codes after which a new token is needed. */
export declare const needsToken: (code: number) => code is 4001 | 4004 | 4201;
/** A random time of up to 1 s after the first failure, 2 s after the second, and so on up to 30 s. */
export declare const backoff: (failures: number, random?: () => number) => number;
/**
 * How long to wait before the next connection, in milliseconds. Null: do not connect.
 *
 * `code` is the close code, 0 without one; `retryAfter` is that of `bye`, or 0; `failures` counts the connections that
 * ended before `hello` was answered, since one where it was.
 */
export declare function waitAfter(code: number, retryAfter: number, failures: number, random?: () => number): number | null;

const MAX_MS = 30_000;
const SMALL_MS = 250;

/** Close codes after which a new token is needed. */
export const needsToken = (code: number) => code === 4001 || code === 4004 || code === 4201;

/** A random time of up to 1 s after the first failure, 2 s after the second, and so on up to 30 s. */
export const backoff = (failures: number, random = Math.random) => random() * Math.min(MAX_MS, 1000 * 2 ** failures);

/**
 * How long to wait before the next connection, in milliseconds. Null: do not connect.
 *
 * `code` is the close code, 0 without one; `retryAfter` is that of `bye`, or 0; `failures` counts the connections that
 * ended before `hello` was answered, since one where it was.
 */
export function waitAfter(code: number, retryAfter: number, failures: number, random = Math.random): number | null {
  if (code >= 4000 && code < 4100) return null;
  if (code >= 4200 && code < 4300 && !failures) return retryAfter + random() * SMALL_MS;
  const least = code >= 4100 && code < 4200 ? Math.max(1000, retryAfter) : retryAfter;
  return least + backoff(failures, random);
}

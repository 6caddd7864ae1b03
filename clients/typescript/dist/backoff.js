const MAX_MS = 30_000;
const SMALL_MS = 250;
export const needsToken = (code) => code === 4001 || code === 4004 || code === 4201;
export const backoff = (failures, random = Math.random) => random() * Math.min(MAX_MS, 1000 * 2 ** failures);
export function waitAfter(code, retryAfter, failures, random = Math.random) {
    if (code >= 4000 && code < 4100)
        return null;
    if (code >= 4200 && code < 4300 && !failures)
        return retryAfter + random() * SMALL_MS;
    const least = code >= 4100 && code < 4200 ? Math.max(1000, retryAfter) : retryAfter;
    return least + backoff(failures, random);
}

/** @veche/client: a small client of the native contract of Veche. */

export { Client, type ClientEvents, type Options, type Status, type Stopped } from "./client.js";
export type { Sending } from "./commands.js";
export { VecheError } from "./errors.js";
export { Rest } from "./rest.js";
export type * from "./types.js";

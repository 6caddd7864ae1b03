export { Client } from "./client.js";
export { VecheError } from "./errors.js";
export { Rest } from "./rest.js";

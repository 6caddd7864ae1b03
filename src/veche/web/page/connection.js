// The WebSocket: it connects and reconnects, sends commands and matches their answers, and notices a dead connection.
//
// It does not know what the frames mean. page.js sets in `on` who is called.

import { api, Refusal } from "./api.js";
import { state } from "./state.js";
import { render, showProblem } from "./view.js";

const SILENCE_MARGIN_MS = 5_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1; // `setTimeout` takes no more
const ANSWER_MS = 30_000; // without an answer to a command for this long, the connection counts as dead, too
const MAX_BACKOFF_MS = 3_000;

export const on = {
  opened() {},
  push(kind, body) {},
  closed(code) {}, // called before it is decided whether to reconnect
  sessionEnded() {},
};

/** The connection with all of its state, or null. It is `ready` once hello has been answered. */
export let link = null;

let retry = 0;
let failures = 0;
let silenceMs = 40_000; // without a frame for this long, the connection counts as dead; see loadSilence

export function connect() {
  clearTimeout(retry);
  if (link || !state.token) return;
  const socket = new WebSocket(new URL("/v1/socket", location.href.replace(/^http/, "ws")));
  link = { socket, ready: false, pending: 0, sending: null, lastId: 0, answers: new Map(), bye: {}, silence: 0 };
  socket.onopen = () => {
    on.opened();
    loadSilence();
  };
  socket.onclose = ({ code }) => lose(code);
  socket.onmessage = ({ data }) => {
    restartSilenceTimer();
    receive(JSON.parse(data));
    render();
  };
  restartSilenceTimer();
}

/** Closes the connection, and does not reconnect. */
export function hangUp() {
  if (link) disconnect();
  clearTimeout(retry);
  failures = 0;
}

/** Notes that the connection works. After the next failure the page reconnects soon. */
export function forgetFailures() {
  failures = 0;
}

function disconnect() {
  const { socket, silence, answers } = link;
  link = null;
  clearTimeout(silence);
  socket.onopen = socket.onclose = socket.onmessage = null;
  socket.close();
  for (const { reject } of answers.values()) reject(new Refusal({ code: "lost", temporary: true }));
}

/** Reacts to a close code by its range (docs/native.md). Null: the connection is dead and was not closed. */
export function lose(code) {
  const { bye } = link;
  on.closed(code);
  disconnect();
  state.status = "offline";
  render();
  if (code === 4001 || code === 4004) return on.sessionEnded();
  if ((code >= 4000 && code < 4100) || code === 1003 || code === 1007) {
    return showProblem(`The server refused this page (${code} ${bye.reason ?? ""}). Reload it to try again.`);
  }
  const atOnce = code >= 4200 && code < 4300 && failures === 0;
  const minimum = code >= 4100 && code < 4200 ? 1000 : 0;
  const backoff = atOnce ? 0 : Math.min(MAX_BACKOFF_MS, 500 * 2 ** failures);
  const wait = Math.max(bye.retry_after_ms ?? 0, minimum, backoff);
  failures += 1;
  retry = setTimeout(connect, wait + Math.random() * Math.max(250, wait / 2));
}

function restartSilenceTimer() {
  clearTimeout(link.silence);
  link.silence = setTimeout(lose, silenceMs, null);
}

/** Takes the time from the heartbeat of this server. If the limits cannot be loaded, the time stays as it is. */
async function loadSilence() {
  const limits = await api("GET", "/v1/limits").catch(() => null);
  if (!limits) return;
  silenceMs = Math.min(MAX_TIMEOUT_MS, limits.ping_interval_ms + limits.pong_timeout_ms + SILENCE_MARGIN_MS);
  if (link) restartSilenceTimer();
}

/** Sends a command. Returns its answer, or throws a Refusal: also if the connection is lost before the answer. */
export function command(name, fields) {
  const current = link;
  const { socket, answers } = current;
  const id = (current.lastId += 1);
  socket.send(JSON.stringify({ id, [name]: fields }));
  setTimeout(() => current === link && answers.has(id) && lose(null), ANSWER_MS);
  return new Promise((resolve, reject) => answers.set(id, { name, resolve, reject }));
}

function receive(frame) {
  if (frame.id !== undefined) return onAnswer(frame);
  const [kind, body] = Object.entries(frame)[0] ?? [];
  if (!kind) link.socket.send("{}"); // a heartbeat
  else if (kind === "bye") Object.assign(link.bye, body);
  else on.push(kind, body);
}

function onAnswer({ id, error, ...named }) {
  const waiting = link.answers.get(id);
  if (!waiting) return;
  link.answers.delete(id);
  if (error) waiting.reject(new Refusal(error));
  else waiting.resolve(named[waiting.name]);
}

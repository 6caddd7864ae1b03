// Links to files, as clients of the older contracts show them: `/#file=ID`.

import { api } from "./api.js";
import { state } from "./state.js";

/** Goes to the file that the address names, if there is one and somebody has signed in. */
export async function openLinkedFile(showProblem) {
  const [, id] = /^#file=([0-9a-f]{32})$/.exec(location.hash) ?? [];
  if (!id || !state.token) return;
  history.replaceState(null, "", location.pathname);
  try {
    const { url } = await api("POST", `/v1/files/${id}/ticket`);
    location.assign(url);
  } catch (problem) {
    showProblem(problem.message);
  }
}

// The operator's calls: the Mind API with the application's token, and what it has no call for.

import { call } from "../shared/http.js";
import { Mind } from "../shared/mind.js";

const KEY = "mediabridge.operator";

export class OperatorApi extends Mind {
  server() {
    return call("GET", "/operator/api/server", this.token);
  }

  async conferences() {
    return (await call("GET", "/operator/api/conferences", this.token)).conferences;
  }

  /** `changes`: { muted, hears: { participant id: gain, or null for what the roles give } } */
  route(conference, id, changes) {
    return call("PATCH", `/operator/api/${conference}/participants/${id}`, this.token, changes);
  }

  endStream(conference, id) {
    return call("DELETE", `/operator/api/${conference}/streams/${id}`, this.token);
  }
}

/** What was typed in this tab: { applicationId, token }, or null. */
export function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Keep it for this tab, or forget it (null). */
export function remember(entry) {
  try {
    if (entry) sessionStorage.setItem(KEY, JSON.stringify(entry));
    else sessionStorage.removeItem(KEY);
  } catch {
    // storage may be switched off; then a reload asks again
  }
}

// The operator's calls: the Mind API with the application's token, and what it has no call for.

import { CallError, call, file } from "../shared/http.js";
import { Mind } from "../shared/mind.js";

const KEY = "mediabridge.operator";
const STOP_WITHIN_MS = 20_000;
const FINISH_TRIES = 60;

const pathOf = (name) => name.split("/").map(encodeURIComponent).join("/");
const pause = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));

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

  // --- recordings ---

  /** Begin or resume; with `wishes` for other files than before: { formats, participants, storage }. */
  startRecording(conference, wishes = {}) {
    return call("POST", this.#recording(conference, "start"), this.token, wishes);
  }

  /** Pause or stop: comes back when everything that was said is safe. */
  stopRecording(conference) {
    return call("POST", this.#recording(conference, "stop"), this.token, {}, STOP_WITHIN_MS);
  }

  recordingFiles(conference) {
    return call("GET", `/operator/api/${conference}/recording/files`, this.token);
  }

  /** What is in the recording, when it was paused and what is missing; null as long as it has no whole files. */
  async manifest(conference) {
    try {
      return await call("GET", this.#recording(conference, "manifest"), this.token);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** A file's content; asks again while it is being finished, and says so by `waiting()`. */
  async recordingFile(conference, name, signal, waiting = () => {}) {
    for (let tried = 1; ; tried += 1) {
      try {
        return await file(this.filePath(conference, name), this.token, signal);
      } catch (error) {
        if (signal.aborted || error.status !== 503 || tried === FINISH_TRIES) throw error;
        waiting();
        await pause(1000);
        if (signal.aborted) throw new CallError(0, "It is not wanted any more.");
      }
    }
  }

  /** Through the server, also when it lies in a storage only: this page may talk to nobody else. */
  filePath(conference, name) {
    return `${this.#recording(conference, `files/${pathOf(name)}`)}?through=true`;
  }

  /** For players and downloads of what is too large to be fetched first. It holds the token: show it nowhere. */
  fileLink(conference, name) {
    return `${this.filePath(conference, name)}&access_token=${encodeURIComponent(this.token)}`;
  }

  #recording(conference, what) {
    return `/${this.applicationId}/${conference}/recording/${what}`;
  }

  // --- streamings ---

  /** `wishes`: { url } of an RTMP server, or { hls }; with { audio, picture }. Gives its id and address. */
  createStreaming(conference, wishes) {
    return call("POST", `/${this.applicationId}/${conference}/streamings`, this.token, wishes);
  }

  deleteStreaming(conference, id) {
    return call("DELETE", `/${this.applicationId}/${conference}/streamings/${id}`, this.token, undefined, STOP_WITHIN_MS);
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

// The live socket: levels ten times a second, and for applications people and looks.

const ENDED = 4000;
const EXPELLED = 4001;
const LONGEST_PAUSE_S = 10;

export class Live {
  /**
   * `on` maps a message's type to a listener; `on.state` is called with "open" or "closed", `on.over` with
   * "ended" or "expelled" once it is known that coming back is of no use.
   */
  constructor(applicationId, conferenceId, token, on) {
    const url = new URL(`/live/${applicationId}/${conferenceId}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("access_token", token);
    this.url = url;
    this.on = on;
    this.failures = 0;
    this.stopped = false;
    this.#open();
  }

  close() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  #open() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (this.stopped) return;
      this.failures = 0;
      this.on.state?.("open");
    });
    socket.addEventListener("message", (event) => {
      if (this.stopped) return;
      const message = JSON.parse(event.data);
      this.on[message.type]?.(message);
    });
    socket.addEventListener("close", (event) => {
      if (this.stopped) return;
      this.on.state?.("closed");
      if (event.code === ENDED || event.code === EXPELLED) {
        this.stopped = true;
        this.on.over?.(event.code === ENDED ? "ended" : "expelled");
        return;
      }
      this.failures += 1;
      this.timer = setTimeout(() => this.#open(), 1000 * Math.min(this.failures, LONGEST_PAUSE_S));
    });
  }
}

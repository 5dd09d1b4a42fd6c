// Listening without UDP: the conference mix over a WebSocket, as a streaming phone call gets it.
//
// The page says `start` like a caller that sends nothing, plays the L16 frames of `playAudio` as they come,
// and acknowledges checkpoints once they have been heard, so that the server knows how far behind we are.

const RATE_HZ = 16_000;
const LEAD_S = 0.15;
const TOO_FAR_BEHIND_S = 1.5;
const LONGEST_PAUSE_S = 10;
const LOOK_MS = 4_000;

/** Base64 of little-endian 16-bit samples → floats. */
export function samplesOf(payload) {
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, index) => view.getInt16(2 * index, true) / 32768);
}

export class SlowEar {
  /** `on.state(state, cause)` as a Session's; `on.reload()` when the participants should be asked for again. */
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.failures = 0;
    this.over = false;
    this.sources = new Set();
    this.callId = self.crypto.randomUUID?.() ?? fallbackUuid();
  }

  start() {
    this.context = new AudioContext({ sampleRate: RATE_HZ });
    this.context.resume();
    this.timer = setInterval(() => this.on.reload(), LOOK_MS);
    this.on.state("connecting", "");
    this.#open();
  }

  close() {
    this.over = true;
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.socket?.close();
    this.context?.close();
  }

  #open() {
    const { applicationId, conferenceId, token } = this.address;
    const url = new URL(`/${applicationId}/${conferenceId}/plivo`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("access_token", token);
    const socket = new WebSocket(url);
    this.socket = socket;
    this.streamId = self.crypto.randomUUID?.() ?? fallbackUuid();
    this.playhead = 0;
    socket.addEventListener("open", () => {
      this.failures = 0;
      const start = {
        callId: this.callId,
        streamId: this.streamId,
        accountId: "web",
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-l16", sampleRate: RATE_HZ },
      };
      this.#send({ event: "start", start, extra_headers: "{}" });
      this.on.state("connected", "");
    });
    socket.addEventListener("message", (event) => this.#heard(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      if (this.over) return;
      this.failures += 1;
      this.on.state(this.failures === 1 ? "reconnecting" : "connecting", "offline");
      this.again = setTimeout(() => this.#open(), 1000 * Math.min(this.failures, LONGEST_PAUSE_S));
    });
  }

  #send(message) {
    this.sequence = message.event === "start" ? 1 : this.sequence + 1;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ ...message, sequenceNumber: this.sequence }));
  }

  #heard(message) {
    if (message.event === "playAudio") this.#play(samplesOf(message.media.payload));
    else if (message.event === "checkpoint") {
      const wait = Math.max(0, this.playhead - this.context.currentTime);
      const { streamId } = this;
      setTimeout(() => {
        if (streamId === this.streamId) this.#send({ event: "playedStream", streamId, name: message.name });
      }, 1000 * wait);
    } else if (message.event === "clearAudio") {
      for (const source of this.sources) source.stop();
      this.playhead = 0;
      this.#send({ event: "clearedAudio", streamId: this.streamId });
    }
  }

  #play(samples) {
    if (samples.length === 0) return;
    const now = this.context.currentTime;
    if (this.playhead > now + TOO_FAR_BEHIND_S) return;
    if (this.playhead < now) this.playhead = now + LEAD_S;
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: RATE_HZ });
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    source.addEventListener("ended", () => this.sources.delete(source));
    this.sources.add(source);
    source.start(this.playhead);
    this.playhead += samples.length / RATE_HZ;
  }
}

/** A random UUID where `crypto.randomUUID` is missing, as on pages without https. */
function fallbackUuid() {
  const bytes = self.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

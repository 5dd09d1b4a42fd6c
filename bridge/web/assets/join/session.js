// The media session: one peer connection against the Mind API, made anew whenever it breaks.
//
// Sections as the vendor's SDK lays them out: mid 0 the negotiated data channel, mid 1 our own primary audio
// (`me#primary`; inactive while muted, so that others see the truth), then what we want to hear (`conference`).

import { CallError } from "../shared/http.js";

const CONNECT_TIMEOUT_MS = 15_000;
const SILENT_PEER_MS = 6_000;
const LONGEST_PAUSE_S = 10;
const STATS_MS = 2_000;
const ICE_FAILURES_MEAN_BLOCKED = 3;
const CONFERENCE_ENDED = "4000";
const EXPELLED = "4001";

/** The msid label of one section, by mid. */
export function labelled(sdp, labels) {
  const sections = sdp.split(/(?=^m=)/m);
  return sections
    .map((section) => {
      const mid = /^a=mid:(.*?)\r?$/m.exec(section)?.[1];
      if (mid === undefined || !(mid in labels)) return section;
      const bare = section.replace(/^a=msid:.*\r?\n/gm, "").replace(/^a=ssrc:\d+ msid:.*\r?\n/gm, "");
      return bare.replace(/^(a=mid:.*\r?\n)/m, `$1a=msid:${labels[mid]}\r\n`);
    })
    .join("");
}

export class Session {
  /**
   * `on.state(state, cause)`: connecting, connected, reconnecting, blocked (no way for media), refused, over
   * (cause: ended, expelled, gone). `on.notification(value)`, `on.sound(stream)`, `on.figures({rtt, loss, delay})`.
   */
  constructor(mind, conferenceId, on) {
    this.mind = mind;
    this.conferenceId = conferenceId;
    this.on = on;
    this.track = null;
    this.muted = false;
    this.peer = null;
    this.attempt = 0;
    this.failures = 0;
    this.iceFailures = 0;
    this.iceServers = null;
    this.wasConnected = false;
    this.over = false;
    this.negotiating = Promise.resolve();
  }

  start(track, muted = false) {
    this.track = track;
    this.muted = muted;
    this.#say("connecting");
    this.#connect();
  }

  /** Another microphone, or none; no new negotiation while the direction stays the same. */
  async setTrack(track) {
    this.track = track;
    if (track) track.enabled = !this.muted;
    await this.audio?.sender.replaceTrack(track);
    this.#renegotiate();
  }

  setMuted(muted) {
    this.muted = muted;
    if (this.track) this.track.enabled = !muted;
    this.#renegotiate();
  }

  /** Try again after `blocked` or `refused`. */
  retry() {
    this.iceFailures = 0;
    this.failures = 0;
    this.#say(this.wasConnected ? "reconnecting" : "connecting");
    this.#connect();
  }

  close() {
    this.over = true;
    this.#drop();
  }

  // --- inside ---

  #say(state, cause = "") {
    this.state = state;
    this.on.state(state, cause);
  }

  #finish(cause) {
    if (this.over) return;
    this.close();
    this.#say("over", cause);
  }

  #drop() {
    clearTimeout(this.timer);
    clearTimeout(this.patience);
    clearInterval(this.watch);
    this.attempt += 1;
    this.peer?.close();
    this.peer = null;
    this.audio = null;
  }

  async #connect() {
    this.#drop();
    const { attempt } = this;
    const mine = () => attempt === this.attempt && !this.over;
    this.negotiating = Promise.resolve();
    try {
      this.iceServers ??= await this.mind.iceServers();
    } catch (error) {
      if (mine()) this.#failed(error);
      return;
    }
    if (!mine()) return;
    const peer = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: "max-bundle" });
    this.peer = peer;
    const channel = peer.createDataChannel("", { negotiated: true, id: 1, ordered: true });
    if (this.track) this.track.enabled = !this.muted;

    channel.addEventListener("open", () => mine() && this.#connected());
    channel.addEventListener("message", (event) => mine() && this.#heard(event.data));
    channel.addEventListener("close", () => mine() && this.#broken());
    peer.addEventListener("connectionstatechange", () => mine() && this.#peerChanged(peer.connectionState));
    this.patience = setTimeout(() => mine() && this.#noMedia(), CONNECT_TIMEOUT_MS);
    try {
      // Browsers put the data channel last unless it is there before anything else.
      await peer.setLocalDescription(await peer.createOffer());
      if (!mine()) return;
      this.audio = peer.addTransceiver("audio", { direction: this.#direction() });
      this.mix = peer.addTransceiver("audio", { direction: "recvonly" });
      this.on.sound(new MediaStream([this.mix.receiver.track]));
      await this.audio.sender.replaceTrack(this.track);
      await this.#negotiate(peer);
    } catch (error) {
      if (mine()) this.#failed(error);
    }
  }

  #direction() {
    return this.track && !this.muted ? "sendonly" : "inactive";
  }

  async #negotiate(peer) {
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    const labels = { [this.mix.mid]: "conference conference" };
    if (this.audio.direction === "sendonly") labels[this.audio.mid] = `me#primary ${this.track?.id ?? "none"}`;
    const answer = await this.mind.session(this.conferenceId, labelled(offer.sdp, labels));
    if (peer.signalingState === "have-local-offer") await peer.setRemoteDescription({ type: "answer", sdp: answer });
  }

  #renegotiate() {
    const { peer, attempt } = this;
    if (!peer || this.state !== "connected") return;
    this.negotiating = this.negotiating.then(async () => {
      if (attempt !== this.attempt || this.audio.direction === this.#direction()) return;
      this.audio.direction = this.#direction();
      try {
        await this.#negotiate(peer);
      } catch (error) {
        if (attempt === this.attempt && !this.over) this.#failed(error);
      }
    });
  }

  #connected() {
    clearTimeout(this.patience);
    this.failures = 0;
    this.iceFailures = 0;
    this.wasConnected = true;
    this.#say("connected");
    this.#renegotiate(); // muted or unmuted while it was being set up
    this.#watchFigures();
  }

  #heard(text) {
    if (text === CONFERENCE_ENDED) this.#finish("ended");
    else if (text === EXPELLED) this.#finish("expelled");
    else {
      try {
        this.on.notification(JSON.parse(text));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error; // words of a newer server are passed over
      }
    }
  }

  #peerChanged(state) {
    clearTimeout(this.patience);
    if (state === "failed") this.#noMedia();
    else if (state === "disconnected") this.patience = setTimeout(() => this.#broken(), SILENT_PEER_MS);
    else if (state !== "connected") this.patience = setTimeout(() => this.#noMedia(), CONNECT_TIMEOUT_MS);
  }

  /** The server answered, and yet nothing comes through. */
  #noMedia() {
    this.iceFailures += 1;
    if (!this.wasConnected || this.iceFailures >= ICE_FAILURES_MEAN_BLOCKED) {
      this.#drop();
      this.#say("blocked");
    } else this.#broken();
  }

  #broken() {
    this.#drop();
    this.#say("reconnecting");
    this.#later();
  }

  #failed(error) {
    this.#drop();
    if (!(error instanceof CallError)) {
      console.error("session:", error);
      this.#say("refused", error.message);
    } else if (error.status === 401 || error.status === 403 || error.status === 404) this.#finish("gone");
    else if (error.status === 400 || error.status === 415) this.#say("refused", error.message);
    else {
      this.#say(this.wasConnected ? "reconnecting" : "connecting", error.status ? "busy" : "offline");
      this.#later(error.retryAfter);
    }
  }

  #later(pause = null) {
    // At once the first time, then after 1, 2 … 10 s, as the vendor's SDK does.
    const seconds = Math.max(pause ?? 0, Math.min(this.failures, LONGEST_PAUSE_S));
    this.failures += 1;
    this.timer = setTimeout(() => this.#connect(), 1000 * seconds);
  }

  #watchFigures() {
    let before = null;
    clearInterval(this.watch);
    this.watch = setInterval(async () => {
      const { peer, attempt } = this;
      if (!peer) return;
      const report = await peer.getStats();
      if (attempt !== this.attempt) return;
      const now = { rtt: null, got: 0, lost: 0, delay: 0, emitted: 0, lossOut: null };
      for (const item of report.values()) {
        if (item.type === "candidate-pair" && item.nominated && item.state === "succeeded") now.rtt = item.currentRoundTripTime ?? null;
        if (item.type === "inbound-rtp" && item.kind === "audio") {
          now.got += item.packetsReceived ?? 0;
          now.lost += item.packetsLost ?? 0;
          now.delay += item.jitterBufferDelay ?? 0;
          now.emitted += item.jitterBufferEmittedCount ?? 0;
        }
        if (item.type === "remote-inbound-rtp" && item.kind === "audio") now.lossOut = item.fractionLost ?? null;
      }
      if (before) {
        const lost = now.lost - before.lost;
        const all = now.got - before.got + lost;
        const emitted = now.emitted - before.emitted;
        this.on.figures({
          rttMs: now.rtt === null ? null : now.rtt * 1000,
          lossIn: all > 0 ? Math.max(0, lost) / all : null,
          lossOut: now.lossOut,
          delayMs: emitted > 0 ? ((now.delay - before.delay) / emitted) * 1000 : null,
        });
      }
      before = now;
    }, STATS_MS);
  }
}

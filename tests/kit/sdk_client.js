// The conference SDK's wire exchange, written anew, for a page of a test. The page has `window.ask(offer)`,
// which gives the answer.

const sections = (sdp) => sdp.split(/(?=^m=)/m);
window.client = {
  texts: [], labels: {}, closed: false, lines: {},

  async join() {
    const pc = this.pc = new RTCPeerConnection({iceServers: []});
    this.channel = pc.createDataChannel("", {ordered: true, negotiated: true, id: 1});
    this.channel.onmessage = (event) => this.texts.push(event.data);
    this.channel.onclose = () => { this.closed = true; };
    const opened = new Promise((resolve) => { this.channel.onopen = resolve; });
    await this.negotiate();
    await opened;
    for (const kind of ["audio", "video", "audio", "video"]) {
      const init = {direction: "inactive"};
      if (kind === "video") {
        init.sendEncodings = [["l", 4], ["m", 2], ["h", 1]].map(
          ([rid, scale]) => ({rid, active: false, scaleResolutionDownBy: scale}));
      }
      this.prefer(pc.addTransceiver(kind, init), kind);
    }
    await this.negotiate();
  },

  prefer(transceiver, kind) {
    if (kind !== "audio") return;
    const codecs = RTCRtpSender.getCapabilities("audio").codecs;
    const kept = codecs.filter((codec) => /opus|red/.test(codec.mimeType));
    transceiver.setCodecPreferences(kept.sort((a, b) => /red/.test(a.mimeType) - /red/.test(b.mimeType)));
  },

  async negotiate() {
    const pc = this.pc;
    const offer = await pc.createOffer();
    const asked = sections(offer.sdp).map((one) =>
      /^m=(audio|video)/.test(one) && !/ rrtr/.test(one) ? one + "a=rtcp-fb:* rrtr\r\n" : one).join("");
    await pc.setLocalDescription({type: "offer", sdp: asked});
    if (pc.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
      });
    }
    const bare = pc.localDescription.sdp.replace(/\r\na=candidate:.*typ host.*/g, "");
    const labelled = sections(bare).map((one, index) => {
      if (!/^m=(audio|video)/.test(one)) return one;
      const mid = one.match(/a=mid:(\S+)/)[1];
      const label = this.labels[mid] ? `${this.labels[mid]} track-${mid}` : `- ${index - 1}`;
      const named = one.replace(/\r\na=msid:.*/g, "").replace(/\r\na=mid:.*/, `$&\r\na=msid:${label}`);
      return /^m=video/.test(one) && !/a=simulcast/.test(one)
        ? named + "a=rid:l send\r\na=rid:m send\r\na=rid:h send\r\na=simulcast:send ~l;~m;h\r\n"
        : named;
    }).join("");
    const answer = await window.ask(labelled);
    await pc.setRemoteDescription({type: "answer", sdp: answer});
  },

  async publish(name) {
    const slot = name === "primary" ? 0 : 2;
    if (!this.microphone) {
      const stream = await navigator.mediaDevices.getUserMedia({audio: {
        echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
      this.microphone = stream.getAudioTracks()[0];
    }
    const transceiver = this.pc.getTransceivers()[slot];
    transceiver.direction = "sendonly";
    await transceiver.sender.replaceTrack(this.microphone);
    this.labels[transceiver.mid] = "me#" + name;
    await this.negotiate();
  },

  async subscribe(label, mid) {
    let transceiver = this.pc.getTransceivers().find((one) => one.mid === mid);
    if (transceiver) {
      transceiver.direction = "recvonly";
    } else {
      transceiver = this.pc.addTransceiver("audio", {direction: "recvonly"});
      this.prefer(transceiver, "audio");
      mid = String(this.pc.getTransceivers().length);
      this.listen(mid, transceiver.receiver.track);
    }
    this.labels[mid] = label;
    await this.negotiate();
    return mid;
  },

  async unsubscribe(mid) {
    this.pc.getTransceivers().find((one) => one.mid === mid).direction = "inactive";
    delete this.labels[mid];
    await this.negotiate();
  },

  listen(mid, track) {
    const stream = new MediaStream([track]);
    const element = new Audio();
    element.srcObject = stream;
    element.muted = true;
    element.play();
    this.context = this.context || new AudioContext({sampleRate: 48000});
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 16384;
    analyser.smoothingTimeConstant = 0;
    this.context.createMediaStreamSource(stream).connect(analyser);
    this.lines[mid] = {analyser, element};
  },

  /* The loudest frequency, once it stands out; 0 after the time is up. */
  async loudest(mid, wanted, seconds) {
    const {analyser} = this.lines[mid];
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    const until = performance.now() + 1000 * seconds;
    let found = 0;
    while (performance.now() < until) {
      analyser.getFloatFrequencyData(spectrum);
      const peak = spectrum.indexOf(Math.max(...spectrum));
      found = spectrum[peak] > -50 ? Math.round(peak * 48000 / analyser.fftSize) : 0;
      if (Math.abs(found - wanted) < 5) return wanted;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return found;
  },

  leave() { this.channel.close(); this.pc.close(); },
};

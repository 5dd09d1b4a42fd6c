// The microphone: asking for it, choosing it, and how loud it is.

const KEY = "mediabridge.microphone";

/** `reason`: insecure, denied, missing, busy. */
export class MicrophoneError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export class Microphone {
  /** `onChange` is called when the list of devices changed or the track ended by itself. */
  constructor(onChange) {
    this.onChange = onChange;
    this.track = null;
    this.deviceId = remembered();
    this.samples = null;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.onChange("devices"));
  }

  /** Open the chosen microphone, or `deviceId`. Raises MicrophoneError; an open one is kept then. */
  async open(deviceId = this.deviceId) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError(window.isSecureContext ? "missing" : "insecure");
    const wishes = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { ...wishes, deviceId: { ideal: deviceId } } : wishes });
    } catch (error) {
      throw new MicrophoneError(REASONS[error.name] ?? "busy");
    }
    const [track] = stream.getAudioTracks();
    this.close();
    this.track = track;
    this.deviceId = track.getSettings().deviceId ?? deviceId;
    try {
      localStorage.setItem(KEY, this.deviceId);
    } catch {
      // only a convenience
    }
    track.addEventListener("ended", () => {
      if (this.track === track) {
        this.track = null;
        this.onChange("ended");
      }
    });
    this.#listen(stream);
    return track;
  }

  close() {
    this.track?.stop();
    this.track = null;
    this.source?.disconnect();
    this.source = null;
  }

  /** The microphones there are: [{ id, label }]. Without permission their labels are empty. */
  async devices() {
    if (!navigator.mediaDevices?.enumerateDevices) return [];
    const all = await navigator.mediaDevices.enumerateDevices();
    return all
      .filter((device) => device.kind === "audioinput" && device.deviceId !== "communications")
      .map((device, index) => ({ id: device.deviceId, label: device.label || `Microphone ${index + 1}` }));
  }

  /** Its level now in dBov; -127 when closed. */
  level() {
    if (!this.track || !this.source) return -127;
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const rms = Math.sqrt(sum / this.samples.length);
    return rms > 0 ? Math.max(-127, 20 * Math.log10(rms)) : -127;
  }

  /** Browsers hold back sound until the page is touched; call this from a click. */
  wake() {
    if (this.context?.state === "suspended") this.context.resume();
  }

  #listen(stream) {
    this.context ??= new AudioContext();
    this.analyser ??= new AnalyserNode(this.context, { fftSize: 1024 });
    this.samples ??= new Float32Array(this.analyser.fftSize);
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    this.wake();
  }
}

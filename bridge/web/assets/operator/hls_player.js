// HLS in a media element: by hls.js, which is loaded when it is needed, or by the browser where it can.

const SCRIPT = "../vendor/hls/hls.light.min.js";
const MIME = "application/vnd.apple.mpegurl";
const AGAIN_MS = 2_000;

let loading = null;

function library() {
  loading ??= import(SCRIPT).catch((error) => {
    loading = null; // a later try may find the server again
    throw error;
  });
  return loading;
}

/**
 * Play the playlist at `url` in `media`. `token` is sent with every request, where there is one. `told(text)` is
 * called with what keeps it from playing, and with "" once it plays. `delay()` gives how many seconds behind the
 * live end the sound is, or null.
 */
export class HlsPlayer {
  constructor(media, url, { token = null, low = false, told = () => {} }) {
    this.media = media;
    this.url = url;
    this.token = token;
    this.low = low;
    this.told = told;
    this.closed = false;
    this.recovered = 0;
  }

  async open() {
    let hls;
    try {
      hls = await library();
    } catch {
      this.told("The player could not be loaded from the server.");
      return;
    }
    if (this.closed) return;
    if (hls.isSupported()) this.#byScript(hls);
    else if (this.media.canPlayType(MIME) && this.token === null) this.#byBrowser();
    else this.told("This browser cannot play HLS.");
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.hls?.destroy();
    this.media.removeAttribute("src");
  }

  delay() {
    const latency = this.hls?.latency;
    return latency > 0 && Number.isFinite(latency) ? latency : null;
  }

  /** Go to where it is live. */
  catchUp() {
    const at = this.hls?.liveSyncPosition;
    if (Number.isFinite(at)) this.media.currentTime = at;
  }

  // --- inside ---

  #byBrowser() {
    this.media.src = this.url;
    this.media.play().catch(() => {});
  }

  #byScript({ default: Hls, Events, ErrorTypes }) {
    const given = {
      enableWorker: false, // the page's policy has none made of blobs
      lowLatencyMode: this.low,
      maxLiveSyncPlaybackRate: this.low ? 1.2 : 1,
      backBufferLength: 120,
    };
    if (this.token !== null) {
      given.xhrSetup = (request, url) => {
        const through = new URL(url, location.href); // what a playlist names has not the query of its own address
        through.searchParams.set("through", "true");
        request.open("GET", through);
        request.setRequestHeader("Authorization", `Bearer ${this.token}`);
      };
    }
    this.hls = new Hls(given);
    this.hls.on(Events.MANIFEST_PARSED, () => this.media.play().catch(() => {}));
    this.hls.on(Events.FRAG_BUFFERED, () => {
      this.recovered = 0;
      this.told("");
    });
    this.hls.on(Events.ERROR, (_, error) => {
      if (!error.fatal) return;
      if (error.type === ErrorTypes.MEDIA_ERROR && this.recovered < 3) {
        this.recovered += 1;
        this.hls.recoverMediaError();
      } else this.#again(Hls, Events, ErrorTypes, error.response?.code ?? 0);
    });
    this.hls.loadSource(this.url);
    this.hls.attachMedia(this.media);
  }

  /** From the beginning, after a while: it may not have begun yet, or its server may be away. */
  #again(Hls, Events, ErrorTypes, status) {
    if (status === 401 || status === 403) this.told("This stream needs its token: only the address that was shown at its creation has it.");
    else if (status === 404) this.told("There is nothing to be heard of it yet.");
    else this.told("It cannot be played at the moment. Trying again …");
    this.hls.destroy();
    this.hls = null;
    if (status === 401 || status === 403) return;
    this.timer = setTimeout(() => {
      if (!this.closed) this.#byScript({ default: Hls, Events, ErrorTypes });
    }, AGAIN_MS);
  }
}

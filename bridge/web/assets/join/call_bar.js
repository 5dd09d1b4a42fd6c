// The bar above a call: state, small print, and the strip for what has to be said.

import { announce, byId, make, setText } from "../shared/dom.js";
import { icon } from "../shared/icons.js";

const STATES = {
  connecting: ["busy", "Connecting"],
  connected: ["good", "Connected"],
  reconnecting: ["busy", "Reconnecting"],
  blocked: ["bad", "No connection"],
  refused: ["bad", "Refused"],
  over: ["bad", "Over"],
};

const WAITING = { busy: "Server busy, waiting", offline: "Server not reached, trying again" };

export class CallBar {
  /** `state` and `cause` as a Session says them; `slow` when the sound comes over the page's own connection. */
  drawState(state, cause, slow) {
    const [colour, word] = STATES[state];
    const text = state === "connecting" ? (WAITING[cause] ?? word) : state === "connected" && slow ? "Connected (slow way)" : word;
    byId("call-state").className = `pill ${colour}`;
    setText(byId("call-state-text"), text);
    announce(text);
    byId("call").dataset.state = state;
    if (state !== "connected") byId("call-figures").hidden = true;
  }

  drawFigures({ rttMs, lossIn, lossOut, delayMs }) {
    const parts = [];
    if (rttMs !== null) parts.push(`${Math.round(rttMs)} ms round trip`);
    if (delayMs !== null) parts.push(`${Math.round(delayMs)} ms buffer`);
    const loss = Math.max(lossIn ?? 0, lossOut ?? 0);
    if (lossIn !== null || lossOut !== null) parts.push(`${(100 * loss).toFixed(loss > 0.0005 ? 1 : 0)} % lost`);
    setText(byId("call-figures"), parts.join(" · "));
    byId("call-figures").hidden = parts.length === 0;
  }

  /** Say something in the strip, with a button if there is something to do; null takes it away. */
  notice(text, button = null) {
    const strip = byId("call-notice");
    strip.hidden = text === null;
    strip.replaceChildren(...(text === null ? [] : [icon("warning"), make("span", { class: "grow", text }), ...(button ? [button] : [])]));
  }
}

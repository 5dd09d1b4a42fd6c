// Text messages: the log, the composer, and who they go to.

import { announce, byId, make, named } from "../shared/dom.js";

const KEPT = 500;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Chat {
  /**
   * `send(to, text)` gives the sent message or raises; `to` is "" for everybody. `nameOf(id)` gives a
   * participant's name or null. `onUnread(count)` is told what was not seen yet.
   */
  constructor({ send, nameOf, onUnread }) {
    this.send = send;
    this.nameOf = nameOf;
    this.onUnread = onUnread;
    this.me = null;
    this.everybody = null;
    this.application = null;
    this.unread = 0;
    this.seen = new Set();
    this.log = byId("chat-log");
    this.panel = byId("call-chat");
    this.text = byId("chat-text");
    this.to = byId("chat-to");
    this.error = byId("chat-error");
    this.#empty();
    byId("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.text.addEventListener("input", () => this.#grow());
  }

  /** Is the log to be seen now? On narrow screens it is shut away. */
  get visible() {
    return this.panel.offsetParent !== null || getComputedStyle(this.panel).display !== "none";
  }

  setPeople(others) {
    const chosen = this.to.value;
    const options = others.map((person) => make("option", { value: person.id, text: `To ${named(person.name)} only` }));
    this.to.replaceChildren(make("option", { value: "", text: "To everyone" }), ...options);
    this.to.value = others.some((person) => person.id === chosen) ? chosen : "";
  }

  /** Show a message; one that is here already (our own, echoed) is passed over. */
  add(message) {
    if (this.seen.has(message.id)) return;
    this.seen.add(message.id);
    const mine = message.sentBy === this.me;
    const direct = message.sentTo !== this.everybody;
    const from = mine ? "You" : message.sentBy === this.application ? "Operator" : (this.nameOf(message.sentBy) ?? "Somebody who left");
    const aside = direct ? (mine ? `to ${this.nameOf(message.sentTo) ?? "somebody"}` : "to you only") : "";
    const sentAt = new Date(message.sentAt);
    const atBottom = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    if (this.log.querySelector(".nothing")) this.log.replaceChildren();
    this.log.append(
      make(
        "li",
        { class: `message${mine ? " mine" : ""}${direct ? " private" : ""}` },
        make("p", { class: "from" }, make("b", { class: "said line", dir: "auto", text: from }), aside, make("time", { datetime: sentAt.toISOString(), text: clock.format(sentAt) })),
        make("p", { class: "text said", dir: "auto", text: message.text }),
      ),
    );
    while (this.log.children.length > KEPT) this.log.firstElementChild.remove();
    if (atBottom || mine) this.log.scrollTop = this.log.scrollHeight;
    if (!mine && !this.visible) {
      this.unread += 1;
      this.onUnread(this.unread);
      announce(`Message from ${from}`);
    }
  }

  /** The log was brought to light. */
  read() {
    this.unread = 0;
    this.onUnread(0);
    this.log.scrollTop = this.log.scrollHeight;
  }

  async #submit() {
    const text = this.text.value.trim();
    if (!text || this.sending) return;
    this.sending = true;
    this.error.textContent = "";
    try {
      const message = await this.send(this.to.value, text);
      this.text.value = "";
      this.#grow();
      this.add(message);
    } catch (error) {
      this.error.textContent = `Not sent: ${error.message}`;
    } finally {
      this.sending = false;
    }
  }

  #grow() {
    this.text.style.setProperty("height", "auto");
    this.text.style.setProperty("height", `${this.text.scrollHeight + 2}px`);
  }

  #empty() {
    this.log.replaceChildren(make("li", { class: "nothing small", text: "Nothing yet. Messages are seen by those who are here now." }));
  }
}

// The operator's page: the entry, the list of conferences, and one of them.

import { byId, make, named, setChildren, setText, toast } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { OperatorApi, remember, remembered } from "./api.js";
import { ConferenceView } from "./conference.js";
import { form } from "./dialogs.js";
import { ServerBar } from "./server.js";

const LIST_EVERY_MS = 3_000;
const MANY = 8;

class Desk {
  constructor() {
    this.conferences = [];
    this.items = new Map();
    this.view = null;
    byId("entry-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter({ applicationId: byId("entry-application").value.trim().toLowerCase(), token: byId("entry-token").value.trim() });
    });
    byId("leave").addEventListener("click", () => this.#leave());
    byId("conference-new").addEventListener("click", () => this.#create());
    byId("conference-find").addEventListener("input", () => this.#draw());
    addEventListener("hashchange", () => this.#choose(location.hash.slice(1)));
  }

  open() {
    const entry = remembered();
    if (entry) this.#enter(entry);
    else this.#ask("");
  }

  // --- in and out ---

  #ask(problem) {
    byId("desk").hidden = true;
    byId("entry").hidden = false;
    const notice = byId("entry-error");
    notice.hidden = problem === "";
    notice.replaceChildren(icon("warning"), make("span", { text: problem }));
    byId(byId("entry-application").value ? "entry-token" : "entry-application").focus();
  }

  async #enter(entry) {
    const go = byId("entry-go");
    go.disabled = true;
    go.setAttribute("aria-busy", "true");
    try {
      const api = new OperatorApi(entry.applicationId, entry.token);
      const server = await api.server();
      if (server.application_id !== entry.applicationId) {
        this.#ask("This token belongs to another application.");
        return;
      }
      remember(entry);
      byId("entry-token").value = "";
      byId("entry").hidden = true;
      byId("desk").hidden = false;
      this.api = api;
      this.bar = new ServerBar(api);
      await this.#refresh();
      this.timer = setInterval(() => this.#refresh(), LIST_EVERY_MS);
      this.#choose(location.hash.slice(1));
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.status === 401) remember(null);
      byId("entry-application").value = entry.applicationId;
      this.#ask(error.status === 401 ? "That token is not valid. Look for it where the server was set up." : error.message);
    } finally {
      go.disabled = false;
      go.removeAttribute("aria-busy");
    }
  }

  #leave() {
    remember(null);
    clearInterval(this.timer);
    this.bar.close();
    this.view?.close();
    location.hash = "";
    location.reload();
  }

  // --- the list ---

  async #refresh() {
    try {
      this.conferences = await this.api.conferences();
    } catch (error) {
      if (error.status === 401) {
        remember(null);
        location.reload();
      }
      return; // the top bar shows that the server is not reached
    }
    this.#draw();
  }

  #draw() {
    const find = byId("conference-find");
    find.hidden = this.conferences.length < MANY;
    const wanted = find.hidden ? "" : find.value.trim().toLocaleLowerCase();
    const shown = this.conferences
      .filter(({ id, name }) => !wanted || id.startsWith(wanted) || name.toLocaleLowerCase().includes(wanted))
      .sort((one, other) => other.online - one.online || other.created_at - one.created_at);
    const present = new Set(this.conferences.map(({ id }) => id));
    for (const id of this.items.keys()) if (!present.has(id)) this.items.delete(id);
    setChildren(byId("conferences"), shown.map((conference) => this.#item(conference)));
    if (this.view && !present.has(this.view.id)) this.#choose("");
    else if (!this.view) this.#nothing();
  }

  #item(conference) {
    if (!this.items.has(conference.id)) {
      const name = make("span", { class: "said line", dir: "auto" });
      const about = make("span", { class: "about" });
      const count = make("span", { class: "pill count" });
      const button = make("button", { type: "button" }, name, about, count);
      button.addEventListener("click", () => {
        location.hash = conference.id;
      });
      this.items.set(conference.id, { element: make("li", {}, button), button, name, about, count });
    }
    const item = this.items.get(conference.id);
    const { online, participants } = conference;
    setText(item.name, named(conference.name, "Without a name"));
    item.name.title = named(conference.name, conference.id);
    setText(item.about, participants === 0 ? "nobody invited" : `${participants} invited`);
    if (item.count.textContent !== `${online} here`) item.count.replaceChildren(make("span", { class: "dot" }), `${online} here`);
    item.count.className = `pill count ${online ? "good" : ""}`;
    item.count.hidden = online === 0;
    item.button.setAttribute("aria-current", String(this.view?.id === conference.id));
    return item.element;
  }

  async #create() {
    const name = make("input", { type: "text", dir: "auto", maxlength: "200", autocomplete: "off", placeholder: "Weekly call" });
    const made = await form("New conference", [["Name", name]], "Create", () => this.api.createConference(name.value.trim()));
    if (!made) return;
    await this.#refresh();
    location.hash = made.id;
  }

  // --- one of them ---

  #choose(id) {
    const summary = this.conferences.find((conference) => conference.id === id);
    if (summary && this.view?.id === id) return;
    this.view?.close();
    this.view = null;
    byId("desk").classList.toggle("chosen", Boolean(summary));
    if (summary) {
      this.view = new ConferenceView(this.api, summary, byId("main"), {
        gone: () => {
          toast("The conference has ended");
          location.hash = "";
          this.#choose("");
          this.#refresh();
        },
        back: () => {
          location.hash = "";
        },
        changed: () => this.#refresh(),
      });
      document.title = `${named(summary.name, "Conference")} · Operator`;
      byId("main").focus({ preventScroll: true });
      scrollTo(0, 0);
    } else {
      document.title = "Operator · Mediabridge";
      this.#nothing();
    }
    this.#draw();
  }

  #nothing() {
    const none = this.conferences.length === 0;
    const key = none ? "none" : "some";
    if (byId("main").dataset.nothing === key && byId("main").firstElementChild?.classList.contains("empty")) return;
    byId("main").dataset.nothing = key;
    byId("main").replaceChildren(
      make(
        "div",
        { class: "empty" },
        icon(none ? "plus" : "people"),
        make("h2", { text: none ? "No conference yet" : "Choose a conference" }),
        make("p", { text: none ? "Create one, invite people to it, or point a phone number at it." : "Its people, levels and who hears whom show here." }),
        none ? make("button", { type: "button", class: "primary", on: { click: () => this.#create() } }, icon("plus"), "New conference") : null,
      ),
    );
    byId("desk").classList.toggle("chosen", none);
  }
}

new Desk().open();

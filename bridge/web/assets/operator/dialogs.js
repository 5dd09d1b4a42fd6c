// Questions: one dialog element, filled anew each time.

import { byId, copy, make, toast } from "../shared/dom.js";
import { icon } from "../shared/icons.js";

/** Show `content` in the dialog; gives what `close(value)` is called with, or null when it is dismissed. */
function open(title, build) {
  const dialog = byId("dialog");
  return new Promise((resolve) => {
    let result = null;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    dialog.replaceChildren(make("div", { class: "stack" }, make("h2", { id: "dialog-title", text: title }), ...build(close)));
    dialog.addEventListener("close", () => resolve(result), { once: true });
    dialog.showModal();
  });
}

/** Yes or no to something that cannot be taken back. `about` is what people wrote. */
export function confirm(title, about, text, yes) {
  return open(title, (close) => [
    make("p", {}, make("b", { class: "said", dir: "auto", text: about })),
    make("p", { class: "soft", text }),
    make(
      "div",
      { class: "actions" },
      make("button", { type: "button", text: "Cancel", autofocus: true, on: { click: () => close(false) } }),
      make("button", { type: "button", class: "danger", text: yes, on: { click: () => close(true) } }),
    ),
  ]).then(Boolean);
}

/**
 * A form: `fields` are [label, element] pairs; check boxes stand before their label. `submit()` does the work and gives the result; when it raises,
 * the dialog stays and shows why.
 */
export function form(title, fields, yes, submit) {
  return open(title, (close) => {
    const problem = make("p", { class: "notice bad", role: "alert", hidden: true });
    const go = make("button", { type: "submit", class: "primary", text: yes });
    const element = make(
      "form",
      { class: "stack" },
      ...fields.map(([label, field]) => (field.type === "checkbox" ? make("label", { class: "row" }, field, make("span", { text: label })) : make("label", { class: "field" }, make("span", { text: label }), field))),
      problem,
      make("div", { class: "actions" }, make("button", { type: "button", text: "Cancel", on: { click: () => close(null) } }), go),
    );
    element.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      go.setAttribute("aria-busy", "true");
      try {
        close(await submit());
      } catch (error) {
        problem.hidden = false;
        problem.textContent = error.message;
      } finally {
        go.disabled = false;
        go.removeAttribute("aria-busy");
      }
    });
    return [element];
  });
}

/** Something to read and copy. `lines` are [label, text, note] triples. */
export function show(title, about, lines) {
  return open(title, (close) => [
    make("p", { class: "soft", text: about }),
    ...lines.map(([label, text, note]) => copyable(label, text, note)),
    make("div", { class: "actions" }, make("button", { type: "button", class: "primary", text: "Done", on: { click: () => close(true) } })),
  ]);
}

/** A text with a button that copies it. */
export function copyable(label, text, note = "") {
  const input = make("input", { type: "text", readonly: true, value: text, "aria-label": label, on: { focus: () => input.select() } });
  const button = make("button", { type: "button", class: "square", title: `Copy ${label.toLowerCase()}`, "aria-label": `Copy ${label.toLowerCase()}` }, icon("copy"));
  button.addEventListener("click", async () => {
    if (await copy(text)) {
      button.replaceChildren(icon("check"));
      toast(`${label} copied`);
      setTimeout(() => button.replaceChildren(icon("copy")), 2000);
    } else {
      input.select();
      toast("Copy it with the keyboard: this browser gives pages without https no clipboard.");
    }
  });
  return make("div", { class: "field" }, make("span", { text: label }), make("div", { class: "copyable" }, input, button), note ? make("p", { class: "small soft", text: note }) : null);
}

// Elements made in code. What a bot or a person wrote goes in as text; nothing here can parse markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "vars") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, String(one));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An element with attributes and children; `text` is its text, `on` its listeners, `vars` its CSS properties. */
const make = (tag, given = {}, ...children) => fill(document.createElement(tag), given, children);

/** The same for drawings. */
const draw = (tag, given = {}, ...children) => fill(document.createElementNS(SVG, tag), given, children);

const DRAWINGS = {
  passed: "m5 12.5 4.5 4.5L19 7.5",
  failed: "m6 6 12 12M18 6 6 18",
  invalid: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2h.01",
  unfold: "m9 6 6 6-6 6",
  back: "M15 5l-7 7 7 7",
  next: "m9 5 7 7-7 7",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1",
  closer: "M4 11a7 7 0 1 0 14 0a7 7 0 1 0-14 0M16 16l5 5M11 8v6M8 11h6",
  wider: "M4 11a7 7 0 1 0 14 0a7 7 0 1 0-14 0M16 16l5 5M8 11h6",
  none: "M3.5 12a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0-17 0M8 12h8",
};

function icon(name) {
  return draw("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, draw("path", { d: DRAWINGS[name] }));
}

/** A text in which `words in backquotes` are code. */
const worded = (text) => text.split("`").map((part, index) => (index % 2 ? make("code", { text: part }) : part));

/** Say something to screen readers without showing it. */
function announce(text) {
  document.getElementById("announce").textContent = text;
}

/**
 * Fill `host` with what `render(width)` gives, again whenever its width changes.
 * Nothing is drawn while the host has no width.
 */
function fitted(host, render) {
  let drawn = 0;
  const again = () => {
    const width = Math.floor(host.clientWidth);
    if (width < 1 || width === drawn) return;
    drawn = width;
    host.replaceChildren(render(width));
  };
  new ResizeObserver(again).observe(host);
  return host;
}

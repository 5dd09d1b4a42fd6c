// Elements made in code. Whatever people wrote goes in as text; nothing here can parse markup.

/**
 * An element with attributes and children. `text` becomes its text, `on` its listeners, `class` its classes;
 * true and false attributes are set bare or left out. Children may be nodes, strings or null.
 */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "value") element.value = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set text only when it differs: screen readers and selections stay undisturbed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Put `children` in place of what is there, touching only what differs, so that focus is kept. */
export function setChildren(parent, children) {
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}

/** What to call somebody without a name. */
export const named = (name, otherwise = "Without a name") => (name && name.trim() ? name : otherwise);

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** One or two letters that stand for a name, in any script. */
export function initials(name) {
  const words = (name ?? "").trim().split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const firsts = words.map((word) => {
    const start = word.search(/[\p{L}\p{N}]/u);
    const [first] = graphemes.segment(word.slice(start));
    return first.segment.replace(/(\p{M})\p{M}+/gu, "$1").toLocaleUpperCase(); // one mark is spelling, ten are mischief
  });
  if (firsts.length === 0) return "•";
  return firsts.length === 1 ? firsts[0] : firsts[0] + firsts[firsts.length - 1];
}

/** A round face with initials; its colour follows from the id. */
export function face(id, name) {
  const element = make("span", { class: "face", "aria-hidden": "true", text: initials(name) });
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)) % 360;
  element.style.setProperty("--hue", String(hash));
  return element;
}

/** Say something to screen readers without showing it. */
export function announce(text) {
  const element = byId("announce");
  if (element) element.textContent = text;
}

/** A short word at the bottom of the page, gone after a while. */
export function toast(text) {
  const element = make("div", { text });
  byId("toasts").append(element);
  setTimeout(() => element.remove(), 5000);
}

/** Copy text; gives whether it worked (it does not on pages without https). */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

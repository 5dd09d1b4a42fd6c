// From dBov to what is drawn.

const QUIET_DBOV = -60;
const LOUD_DBOV = -6;

/** 0 (silence) to 1 (as loud as it should ever be). */
export const loudness = (dbov) => Math.min(1, Math.max(0, (dbov - QUIET_DBOV) / (LOUD_DBOV - QUIET_DBOV)));

/** Draw a level on a `.meter` or a `.face`. */
export function drawLevel(element, dbov) {
  element.style.setProperty("--level", loudness(dbov).toFixed(3));
  if (element.classList.contains("meter")) element.classList.toggle("hot", dbov > -9);
}

/** How somebody is shown who is there: their kind as the server calls it → a word and a drawing. */
export function kindOf(kind) {
  if (kind === "bot") return { word: "Bot", icon: "bot" };
  if (kind === "webrtc") return { word: "Browser", icon: "browser" };
  if (kind === "plivo") return { word: "Phone", icon: "phone" };
  return { word: kind, icon: "socket" };
}

export const ROLES = [
  ["moderator", "Moderator", "May speak, rename and manage the others"],
  ["presenter", "Presenter", "May speak and share a second sound"],
  ["speaker", "Speaker", "May speak"],
  ["attendee", "Attendee", "Listens; is not in the mix"],
];

export const roleWord = (role) => ROLES.find(([name]) => name === role)?.[1] ?? role;

// The join link: /join#/{application}/{conference}/{token}. Read once, then out of the address bar.

const KEY = "mediabridge.join";
const UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const FRAGMENT = new RegExp(`^#?/?(${UUID})/(${UUID})/([^/?#\\s]{8,512})/?$`);

/** What a fragment says, or null. */
export function parseFragment(fragment) {
  const match = FRAGMENT.exec(decodeURI(fragment));
  return match && { applicationId: match[1].toLowerCase(), conferenceId: match[2].toLowerCase(), token: match[3] };
}

/** What a whole link says, as somebody pasted it, or null. */
export function parseLink(text) {
  const at = text.indexOf("#");
  try {
    return at < 0 ? null : parseFragment(text.trim().slice(text.trim().indexOf("#")));
  } catch {
    return null;
  }
}

/** Where to go: from the address bar (which is then cleaned), else from this tab's memory, else null. */
export function takeAddress() {
  const { hash } = location;
  if (hash.length > 1) {
    history.replaceState(null, "", location.pathname);
    let address = null;
    try {
      address = parseFragment(hash);
    } catch {
      address = null; // a fragment that is not even percent-encoded text
    }
    if (address) keepAddress(address);
    else forgetAddress();
    return address;
  }
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Remember for this tab, so that a reload comes back to the same place. */
export function keepAddress(address) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(address));
  } catch {
    // Storage may be switched off; then a reload asks for the link again.
  }
}

export function forgetAddress() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

// What can go wrong, in words, and what to do about it.

/** Problems that take the whole page. `actions` name what page.js can do. */
export const PROBLEMS = {
  nolink: {
    title: "Open the link you were sent",
    text: "This page needs your personal link: it says which conference, and who you are.",
    hints: [],
    actions: ["open"],
    link: true,
  },
  badlink: {
    title: "This link is not complete",
    text: "Something is missing or was changed on the way, as happens when a long link is broken over two lines.",
    hints: ["Copy the whole link from your invitation and paste it here.", "Or ask for it to be sent again."],
    actions: ["open"],
    link: true,
  },
  gone: {
    title: "This link does not work any more",
    text: "The conference has ended, or your invitation was withdrawn.",
    hints: ["Ask whoever invited you for a new link."],
    actions: ["again", "open"],
    link: true,
  },
  ended: { title: "The conference has ended", text: "It was closed for everybody.", hints: [], actions: [] },
  expelled: {
    title: "You were removed from the conference",
    text: "Your link does not work any more.",
    hints: ["If that was a mistake, ask for a new link."],
    actions: [],
  },
  replaced: {
    title: "You joined from somewhere else",
    text: "Your link was opened in another tab or on another device, and the sound went there.",
    hints: ["Only one place at a time can use a link."],
    actions: ["rejoin"],
  },
  left: { title: "You have left", text: "The conference goes on without you.", hints: [], actions: ["rejoin"] },
  offline: {
    title: "The server cannot be reached",
    text: "The page was loaded, but the server does not answer now.",
    hints: ["Check your network connection.", "The page tries again by itself every few seconds."],
    actions: ["again"],
  },
  busy: {
    title: "The server is busy",
    text: "It takes no new calls at the moment.",
    hints: ["The page tries again by itself every few seconds."],
    actions: ["again"],
  },
  blocked: {
    title: "Sound cannot get through",
    text: "The server answers, but sound travels by UDP, and something between you and the server holds it up.",
    hints: [
      "Switch off a VPN, or try another network, for example your phone’s.",
      "In an office, ask for UDP to this server to be allowed.",
      "Until then you can listen over the page’s own connection, with a little more delay.",
    ],
    actions: ["retry", "listen-slow"],
  },
  refused: {
    title: "The server did not understand this browser",
    text: "It refused the offered connection.",
    hints: ["Update your browser, or try another one.", "You can still listen over the page’s own connection."],
    actions: ["retry", "listen-slow"],
  },
  unsupported: {
    title: "This browser cannot make calls",
    text: "It lacks WebRTC, or it was switched off.",
    hints: ["Use a current Firefox, Chrome, Edge or Safari."],
    actions: ["listen-slow"],
  },
};

/** Problems with the microphone: a notice in the lobby, with listening as the way out. */
export const MICROPHONE_PROBLEMS = {
  insecure: {
    title: "No microphone on this page",
    text: "Browsers give out the microphone on https pages only, and this one is not. Open the same link with https:// in front, or join to listen.",
    again: false,
  },
  denied: {
    title: "The microphone is blocked",
    text: "Allow it in the address bar (the lock or microphone sign), then try again. Or join to listen.",
    again: true,
  },
  missing: {
    title: "No microphone found",
    text: "Plug one in or switch it on, then try again. Or join to listen.",
    again: true,
  },
  busy: {
    title: "The microphone cannot be used",
    text: "Another program may hold it. Close that program, then try again. Or join to listen.",
    again: true,
  },
};

// What ended a call, told apart.

const ENDS = {
  "caller hung up": ["The caller was through, and hung up.", false],
  "bot hung up": ["The bot ended the call, not by its socket.", false],
  "bot closed": ["The bot closed its socket, in order.", false],
  "bot failed": ["The bot closed its socket with an error, or broke a rule of WebSockets.", true],
  "connection lost": ["The connection ended without a closing handshake.", true],
  "connect failed": ["The call did not come about.", true],
  cancelled: ["The run was ended; nobody judges the call.", false],
};

/** The end of a call, and by what means the bot hung up, where it did. */
const endOf = (call) => (call.hung_up_by ? `${call.end}: ${call.hung_up_by}` : call.end);

const knownEnd = (end) => Object.keys(ENDS).find((name) => end === name || end.startsWith(`${name}: `));
const endText = (end) => ENDS[knownEnd(end)]?.[0] ?? "";
const endIsBad = (end) => ENDS[knownEnd(end)]?.[1] ?? false;

// Calls with a bearer token, and one kind of error for everything that can go wrong.

const TIMEOUT_MS = 10_000;

/** `status` is 0 when the server was not reached; `retryAfter` is in seconds when the server named one. */
export class CallError extends Error {
  constructor(status, text, retryAfter = null) {
    super(text);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function textOf(response) {
  try {
    const body = await response.json();
    const said = body.error?.message ?? body.error ?? body.message ?? body.detail;
    return typeof said === "string" ? said : JSON.stringify(said ?? body);
  } catch {
    return response.statusText;
  }
}

async function ask(path, token, given) {
  let response;
  try {
    response = await fetch(path, {
      ...given,
      headers: { Authorization: `Bearer ${token}`, ...given.headers },
      cache: "no-store",
      credentials: "omit",
    });
  } catch {
    throw new CallError(0, "The server cannot be reached.");
  }
  if (!response.ok) {
    throw new CallError(response.status, await textOf(response), Number(response.headers.get("Retry-After")) || null);
  }
  return response;
}

/** One call; gives the decoded JSON, or null for an empty answer. */
export async function call(method, path, token, body = undefined, withinMs = TIMEOUT_MS) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json; charset=UTF-8";
  const content = body === undefined ? undefined : JSON.stringify(body);
  const response = await ask(path, token, { method, headers, body: content, signal: AbortSignal.timeout(withinMs) });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** A file's content, as a Blob. It is given up when `signal` says so. */
export async function file(path, token, signal) {
  const response = await ask(path, token, { headers: { Accept: "*/*" }, signal });
  try {
    return await response.blob();
  } catch {
    throw new CallError(0, "The connection was lost in the middle of the file.");
  }
}

// Shows /openapi.json. Everything is written as text, nothing as markup.

const known = new Map(); // what was typed for a path parameter, shared by all operations

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function typeOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => (value === "" ? "empty" : value)).join(", ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  return [schema.type ?? schema.title ?? "anything", schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

function boundsOf(schema) {
  const parts = [schema, ...(schema.anyOf ?? [])];
  const said = [];
  for (const part of parts) {
    if (part.minimum !== undefined) said.push(`≥ ${part.minimum}`);
    if (part.maxLength !== undefined) said.push(`up to ${part.maxLength} characters`);
    if (part.description) said.push(part.description);
  }
  if (schema.default !== undefined && schema.default !== null) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join("; ");
}

function exampleOf(schema) {
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.anyOf) return exampleOf(schema.anyOf.find((one) => one.type !== "null") ?? {});
  if (schema.enum) return schema.enum.find((value) => value !== "");
  switch (schema.type) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, exampleOf(one)]));
    case "array":
      return [exampleOf(schema.items ?? {})];
    case "boolean":
      return false;
    case "integer":
    case "number":
      return 1;
    case "null":
      return null;
    default:
      return schema.format === "uuid" ? "24300bf9-d9f2-4bbf-9719-8660d110bc63" : "";
  }
}

// What may be null is left out, unless nothing else would be there.
function bodyExampleOf(schema) {
  const fields = Object.entries(schema.properties ?? {});
  const told = fields.filter(([, field]) => !field.anyOf?.some((one) => one.type === "null"));
  return Object.fromEntries((told.length ? told : fields.slice(0, 1)).map(([name, field]) => [name, exampleOf(field)]));
}

function tableOf(schema) {
  const fields = Object.entries(schema.properties ?? {});
  if (!fields.length) return make("p", { textContent: typeOf(schema) });
  const rows = fields.map(([name, field]) =>
    make(
      "tr",
      {},
      make("td", {}, make("code", { textContent: name })),
      make("td", { textContent: typeOf(field) }),
      make("td", { textContent: (schema.required ?? []).includes(name) ? "required" : "" }),
      make("td", { textContent: boundsOf(field) }),
    ),
  );
  return make("div", { className: "wide" }, make("table", {}, make("tbody", {}, ...rows)));
}

const schemaOf = (part) => part?.content?.["application/json"]?.schema;

function answersOf(operation) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, answer]) =>
    make("tr", {}, make("td", {}, make("code", { textContent: status })), make("td", { textContent: answer.description })),
  );
  const parts = [make("h3", { textContent: "Answers" }), make("table", {}, make("tbody", {}, ...rows))];
  const schema = schemaOf(operation.responses?.["200"]);
  if (schema) parts.push(make("pre", { textContent: JSON.stringify(exampleOf(schema), null, 2) }));
  return parts;
}

function inputsOf(operation) {
  return (operation.parameters ?? [])
    .filter((parameter) => parameter.in !== "header")
    .map((parameter) => {
      const input = make("input", { value: known.get(parameter.name) ?? "", autocomplete: "off", spellcheck: false });
      input.addEventListener("input", () => known.set(parameter.name, input.value.trim()));
      return { parameter, input };
    });
}

async function send(method, path, inputs, body, shown) {
  let filled = path;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    const value = input.value.trim();
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value) query.set(parameter.name, value);
  }
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  shown.textContent = "…";
  try {
    const address = query.size ? `${filled}?${query}` : filled;
    const answer = await fetch(address, { method, headers, body: body || undefined, credentials: "omit" });
    const text = await answer.text();
    let readable = text;
    try {
      readable = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // not JSON: shown as it came
    }
    shown.textContent = `${answer.status} ${answer.statusText}\n${readable}`;
  } catch (error) {
    shown.textContent = `No answer: ${error.message}`;
  }
}

function contentOf(method, path, operation) {
  const content = make("div", { className: "body" });
  if (operation.description) content.append(make("p", { textContent: operation.description }));
  const inputs = inputsOf(operation);
  if (inputs.length) {
    const labels = inputs.map(({ parameter, input }) => make("label", {}, parameter.name, input));
    content.append(make("h3", { textContent: "Parameters" }), make("div", { className: "ids" }, ...labels));
  }
  const schema = schemaOf(operation.requestBody);
  let body = null;
  if (schema) {
    body = make("textarea", { value: JSON.stringify(bodyExampleOf(schema), null, 2), spellcheck: false });
    body.setAttribute("aria-label", "Request body");
    content.append(make("h3", { textContent: "Body" }), tableOf(schema), body);
  }
  content.append(...answersOf(operation));
  const shown = make("pre", { hidden: true });
  shown.setAttribute("role", "status");
  const button = make("button", { type: "button", textContent: `Send ${method}` });
  button.addEventListener("click", async () => {
    shown.hidden = false;
    button.disabled = true;
    await send(method, path, inputs, body?.value.trim(), shown);
    button.disabled = false;
  });
  content.append(button, shown);
  return content;
}

function operationOf(method, path, operation) {
  const summary = make(
    "summary",
    {},
    make("span", { className: `method ${method.toLowerCase()}`, textContent: method }),
    make("span", { className: "path", textContent: path }),
    make("span", { className: "said", textContent: operation.summary ?? "" }),
  );
  const details = make("details", {}, summary);
  details.dataset.words = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`.toLowerCase();
  // Made when first opened: by then the identifiers typed elsewhere are known.
  details.addEventListener("toggle", () => details.append(contentOf(method, path, operation)), { once: true });
  return details;
}

async function show() {
  document.getElementById("settings").addEventListener("submit", (event) => event.preventDefault());
  const place = document.getElementById("operations");
  const answer = await fetch("/openapi.json", { credentials: "omit" });
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  const description = await answer.json();
  document.title = `${description.info.title} · API`;
  document.getElementById("title").textContent = `${description.info.title} ${description.info.version}`;
  const groups = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "Other";
      groups.set(tag, [...(groups.get(tag) ?? []), operationOf(method.toUpperCase(), path, operation)]);
    }
  }
  place.replaceChildren(
    ...[...groups].map(([tag, operations]) => make("section", {}, make("h2", { textContent: tag }), ...operations)),
  );
  document.getElementById("find").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const details of place.querySelectorAll("details")) {
      details.hidden = !words.every((word) => details.dataset.words.includes(word));
    }
    for (const section of place.querySelectorAll("section")) {
      section.hidden = !section.querySelector("details:not([hidden])");
    }
  });
}

show().catch((error) => {
  document.getElementById("operations").replaceChildren(make("p", { textContent: `The description could not be loaded: ${error.message}` }));
});

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== ""));
  return node;
}

function left(due) {
  const seconds = Math.max(0, Math.round((due - Date.now()) / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor((seconds % 86400) / 3600), Math.floor((seconds % 3600) / 60)];
  if (days) return `${days} d ${hours} h left`;
  if (hours) return `${hours} h ${minutes} m left`;
  return minutes ? `${minutes} m ${String(seconds % 60).padStart(2, "0")} s left` : `${seconds} s left`;
}

let forms = 0;

/** The schema itself: without $ref to its own definitions, without the null of an optional field. */
function resolved(schema, root, depth = 0) {
  if (depth > 8 || typeof schema !== "object" || schema === null) return {};
  if (schema.$ref?.startsWith("#/")) {
    const target = schema.$ref.slice(2).split("/").reduce((node, part) => node?.[part], root);
    return { ...resolved(target, root, depth + 1), ...schema, $ref: undefined };
  }
  if (schema.allOf?.length === 1) return { ...resolved(schema.allOf[0], root, depth + 1), ...schema, allOf: undefined };
  const real = schema.anyOf?.filter((part) => part.type !== "null");
  if (real?.length === 1) return { ...resolved(real[0], root, depth + 1), ...schema, anyOf: undefined };
  if (Array.isArray(schema.type)) return { ...schema, type: schema.type.find((name) => name !== "null") };
  return schema;
}

const INPUTS = { date: "date", time: "time", "date-time": "datetime-local", email: "email", uri: "url", password: "password", color: "color" };
const isLong = (schema) => ["textarea", "multiline"].includes(schema.format) || schema.maxLength > 200;
const shownValue = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Each control: its node, and what it holds; undefined where nothing was given. */
function control(schema, root, attributes, label) {
  const given = schema.default;
  if (schema.enum) return choice(schema, attributes);
  if (schema.const !== undefined) return { node: element("output", attributes, shownValue(schema.const)), read: () => schema.const };
  if (schema.type === "boolean") {
    const node = element("input", { ...attributes, type: "checkbox" });
    node.checked = given === true;
    return { node, read: () => node.checked };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const step = schema.multipleOf ?? (schema.type === "integer" ? 1 : "any");
    const node = element("input", { ...attributes, type: "number", step, min: schema.minimum, max: schema.maximum });
    if (given !== undefined) node.value = String(given);
    return { node, read: () => (node.value === "" ? (node.validity.badInput ? "?" : undefined) : Number(node.value)) };
  }
  if (schema.type === "array") return list(resolved(schema.items ?? {}, root), given, attributes, label);
  if (schema.type === "string") {
    const long = isLong(schema);
    const node = long
      ? element("textarea", { ...attributes, rows: "4" })
      : element("input", { ...attributes, type: INPUTS[schema.format] ?? "text", placeholder: schema.examples?.[0] });
    if (given !== undefined) node.value = given;
    return { node, read: () => (node.value === "" ? undefined : node.value) };
  }
  return json(given, attributes);
}

function choice(schema, attributes) {
  const node = element("select", attributes, element("option", { value: "" }, "choose …"));
  schema.enum.forEach((value, place) => node.append(element("option", { value: String(place) }, shownValue(value))));
  const place = schema.enum.findIndex((value) => JSON.stringify(value) === JSON.stringify(schema.default));
  if (place >= 0) node.value = String(place);
  return { node, read: () => (node.value === "" ? undefined : schema.enum[Number(node.value)]) };
}

function list(items, given, attributes, label) {
  if (items.enum) {
    const boxes = items.enum.map((value) => {
      const box = element("input", { type: "checkbox" });
      box.checked = (given ?? []).includes(value);
      return { box, value, row: element("label", { class: "agentnb-question-choice" }, box, shownValue(value)) };
    });
    const node = element("div", { ...attributes, role: "group", "aria-label": label, tabindex: "-1" }, ...boxes.map((entry) => entry.row));
    return { node, read: () => boxes.filter((entry) => entry.box.checked).map((entry) => entry.value) };
  }
  if (!["string", "number", "integer"].includes(items.type ?? "string")) return json(given, attributes);
  const node = element("textarea", { ...attributes, rows: "3", placeholder: "one a line" });
  node.value = (given ?? []).join("\n");
  const lines = () => node.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const value = (line) => (items.type === "number" || items.type === "integer" ? (Number.isNaN(Number(line)) ? line : Number(line)) : line);
  return { node, read: () => (node.value.trim() === "" ? undefined : lines().map(value)) };
}

function json(given, attributes) {
  const node = element("textarea", { ...attributes, rows: "4", spellcheck: "false", placeholder: "JSON" });
  if (given !== undefined) node.value = JSON.stringify(given, null, 2);
  const read = () => {
    if (node.value.trim() === "") return undefined;
    try {
      return JSON.parse(node.value);
    } catch {
      return node.value;
    }
  };
  return { node, read };
}

/** A field with its label, its description and the place of its error. */
function field(name, schema, root, path, required, form) {
  const id = `agentnb-question-${form.number}-${path.join("-") || "answer"}`;
  const label = schema.title ?? name;
  const error = element("div", { id: `${id}-error`, class: "agentnb-question-error", role: "alert" });
  const about = schema.description && element("div", { id: `${id}-about`, class: "agentnb-question-about" }, schema.description);
  const described = [about && `${id}-about`, `${id}-error`].filter(Boolean).join(" ");
  const attributes = { id, "aria-describedby": described, "aria-required": required ? "true" : undefined };
  const { node, read } = control(schema, root, attributes, label);
  const mark = required ? element("span", { class: "agentnb-question-required", "aria-hidden": "true" }, "*") : undefined;
  const caption = element("label", { for: id }, label, mark);
  form.fields.set(path.join("."), { node, error });
  const box = schema.type === "boolean" && !schema.enum;
  const rows = box ? [element("div", { class: "agentnb-question-choice" }, node, caption), about, error] : [caption, about, node, error];
  return { node: element("div", { class: "agentnb-question-field" }, ...rows.filter(Boolean)), read };
}

/** The fields of an object; an object in it is a group of its own, what is deeper is JSON. */
function group(schema, root, path, form) {
  const required = schema.required ?? [];
  const parts = Object.entries(schema.properties ?? {}).map(([name, raw]) => {
    const part = resolved(raw, root);
    const place = [...path, name];
    if (part.properties && path.length < 2) {
      const inner = group(part, root, place, form);
      const error = element("div", { class: "agentnb-question-error", role: "alert" });
      form.fields.set(place.join("."), { node: inner.nodes[0], error });
      const about = part.description && element("div", { class: "agentnb-question-about" }, part.description);
      const legend = element("legend", {}, part.title ?? name);
      const read = () => {
        const value = inner.read();
        return Object.keys(value).length || required.includes(name) ? value : undefined;
      };
      return { name, node: element("fieldset", {}, legend, ...(about ? [about] : []), ...inner.nodes, error), read };
    }
    return { name, ...field(name, part, root, place, required.includes(name), form) };
  });
  const read = () =>
    Object.fromEntries(parts.map((part) => [part.name, part.read()]).filter(([, value]) => value !== undefined));
  return { nodes: parts.map((part) => part.node), read };
}

function formOf(schema) {
  const form = { number: ++forms, fields: new Map() };
  const whole = resolved(schema, schema);
  if (whole.properties) return { ...form, ...group(whole, schema, [], form) };
  const only = field("Answer", whole, schema, [], true, form);
  return { ...form, nodes: [only.node], read: only.read };
}

const WORDS = { approve: "Approve", reject: "Reject", retry: "Run it again", skip: "Skip it", fail: "Let it fail" };
const DONE = { approve: "Approved", reject: "Rejected", retry: "It is run again", skip: "Skipped", fail: "Failed", void: "No longer waiting" };

function render({ model, el }) {
  const question = model.get("question");
  const form = question.form ? formOf(question.form) : undefined;
  const number = forms;
  const message = element("div", { class: "agentnb-question-message", role: "status", tabindex: "-1" });
  const time = element("span", { class: "agentnb-question-time" });
  const noteId = `agentnb-question-note-${number}-${Math.random().toString(36).slice(2, 8)}`;
  const note = element("input", { id: noteId, type: "text", class: "agentnb-question-note" });

  const answer = (verdict) => {
    const data = form && verdict === "approve" ? (form.read() ?? null) : null;
    model.send({ verdict, data, note: note.value });
  };
  const buttons = question.verdicts.map((verdict, place) => {
    const word = form && verdict === "approve" ? "Send" : (WORDS[verdict] ?? verdict);
    const kind = place === 0 ? "submit" : "button";
    const attributes = { type: kind, "data-testid": verdict, class: place === 0 ? "agentnb-question-first" : undefined };
    return element("button", place === 0 ? attributes : { ...attributes, onclick: () => answer(verdict) }, word);
  });
  const title = element("div", { class: "agentnb-question-title" }, question.step);
  if (question.assignee) title.append(element("span", { class: "agentnb-question-who" }, ` asks ${question.assignee}`));
  const rows = [title, element("div", { class: "agentnb-question-prompt" }, question.prompt)];
  if (question.shown) {
    const text = element("pre", { class: "agentnb-question-shown", tabindex: "0", "aria-label": "What it is about" }, question.shown);
    const long = question.shown.split("\n").length > 15;
    rows.push(long ? element("details", {}, element("summary", {}, "What it is about"), text) : text);
  }
  if (form) rows.push(element("div", { class: "agentnb-question-form" }, ...form.nodes));
  rows.push(element("div", { class: "agentnb-question-field" }, element("label", { for: noteId }, "Note"), note));
  rows.push(element("div", { class: "agentnb-question-buttons" }, ...buttons, time), message);
  const submit = (event) => {
    event.preventDefault();
    if (event.submitter) answer(question.verdicts[0]); // Enter in a field presses nothing: a decision is a button
  };
  const enter = (event) => {
    if (event.key === "Enter" && event.target instanceof HTMLInputElement && event.target.type !== "checkbox") event.preventDefault();
  };
  const card = element(
    "form",
    {
      class: "agentnb-question",
      novalidate: true,
      "aria-label": `${question.step}: ${question.prompt}`,
      "data-testid": "question",
      "data-lm-suppress-shortcuts": "true",
      onsubmit: submit,
      onkeydown: enter,
    },
    ...rows,
  );
  const controls = () => card.querySelectorAll("input, textarea, select, button");

  const update = () => {
    const state = model.get("state");
    const open = state === "waiting";
    const inside = card.contains(document.activeElement);
    card.dataset.state = state;
    for (const node of controls()) node.disabled = !open;
    time.textContent = open && question.due ? left(question.due) : "";
    message.textContent = [DONE[state], model.get("message")].filter(Boolean).join(". ");
    if (!open && inside) message.focus();
  };
  const mark = () => {
    const errors = model.get("errors") ?? {};
    let first;
    for (const [path, { node, error }] of form?.fields ?? []) {
      const said = Object.entries(errors).find(([place]) => place === path || (place.startsWith(`${path}.`) && !form.fields.has(place)));
      error.textContent = said ? said[1] : "";
      if (said) node?.setAttribute("aria-invalid", "true");
      else node?.removeAttribute("aria-invalid");
      first ??= said && node;
    }
    first?.focus();
  };
  const tick = () => {
    if (model.get("state") === "waiting" && question.due) time.textContent = left(question.due);
  };
  const live = () => {
    if (model.get("state") !== "waiting" || model.comm_live !== false) return;
    for (const node of controls()) node.disabled = true;
    clearInterval(clock);
    time.textContent = "";
    message.textContent = `The kernel was restarted. Bring this back with %agentnb show ${question.run}`;
  };
  const clock = setInterval(tick, 1000);
  model.on("comm_live_update", live);
  model.on("change:state", update);
  model.on("change:message", update);
  model.on("change:errors", mark);
  update();
  el.append(card);
  return () => {
    clearInterval(clock);
    model.off("change:state", update);
    model.off("change:message", update);
    model.off("change:errors", mark);
    model.off("comm_live_update", live);
  };
}

export default { render };

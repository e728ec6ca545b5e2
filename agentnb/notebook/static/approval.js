function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function left(expires) {
  const seconds = Math.max(0, Math.round((expires - Date.now()) / 1000));
  const minutes = Math.floor((seconds % 3600) / 60);
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h${minutes ? ` ${minutes} m` : ""} left`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s left` : `${seconds} s left`;
}

const EFFECTS = { none: "Changes nothing", read: "Reads", write: "Changes something" };
const WORDS = { approved: "Approved", denied: "Denied", void: "No longer waiting" };

function render({ model, el }) {
  const question = model.get("question");
  const editor = element("textarea", {
    class: "agentnb-question-shown",
    rows: String(Math.min(12, question.arguments.split("\n").length + 1)),
    "aria-label": "Arguments as JSON",
  });
  editor.value = question.arguments;
  const shown = element("pre", { class: "agentnb-question-shown" }, question.arguments);
  const message = element("div", { class: "agentnb-question-message", role: "status" });
  const time = element("span", { class: "agentnb-question-time" });
  let editing = false;

  const answer = (verdict) => {
    const edited = verdict === "approve" && editing ? editor.value : null;
    model.send({ verdict, arguments: edited });
  };
  const approve = element("button", { "data-testid": "approve", onclick: () => answer("approve") }, "Approve");
  const edit = element(
    "button",
    {
      "data-testid": "edit",
      onclick: () => {
        editing = true;
        shown.replaceWith(editor);
        edit.disabled = true;
        editor.focus();
      },
    },
    "Edit",
  );
  const deny = element("button", { "data-testid": "deny", onclick: () => answer("deny") }, "Deny");
  const buttons = element("div", { class: "agentnb-question-buttons" }, approve, edit, deny, time);
  const title = element("div", { class: "agentnb-question-title" }, `${question.agent} wants to call `, element("code", {}, question.tool));
  const risk = element("div", { class: "agentnb-question-about" }, `${EFFECTS[question.effects] ?? question.effects}. ${question.reason}.`);
  const card = element(
    "div",
    { class: "agentnb-question", role: "group", "aria-label": `Approval of ${question.tool}`, "data-testid": "approval" },
    title,
    risk,
    shown,
    buttons,
    message,
  );

  const update = () => {
    const state = model.get("state");
    card.dataset.state = state;
    const open = state === "waiting";
    for (const button of [approve, edit, deny]) button.disabled = !open || (button === edit && editing);
    editor.disabled = !open;
    time.textContent = open ? left(question.expires) : "";
    message.textContent = [WORDS[state], model.get("message")].filter(Boolean).join(". ");
  };
  const live = () => {
    if (model.get("state") !== "waiting" || model.comm_live !== false) return;
    for (const button of [approve, edit, deny]) button.disabled = true;
    clearInterval(clock);
    time.textContent = "";
    message.textContent = `The kernel was restarted. Bring this back with %agentnb show ${question.run}`;
  };
  const clock = setInterval(update, 1000);
  model.on("comm_live_update", live);
  model.on("change:state", update);
  model.on("change:message", update);
  update();
  el.append(card);
  return () => {
    clearInterval(clock);
    model.off("change:state", update);
    model.off("change:message", update);
    model.off("comm_live_update", live);
  };
}

export default { render };

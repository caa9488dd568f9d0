"use strict";
// The transcript browser. All text goes through textContent: nothing that a model wrote becomes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const LIMIT = 400;
  const FIELDS = ["run", "firm", "policy", "status"];
  const filters = document.getElementById("filters");
  const list = document.getElementById("list");
  const view = document.getElementById("decision");
  const chosen = {};

  // Control characters, and marks that hide or reorder text, as their numbers.
  const visible = (text) =>
    String(text).replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
      (c) => "⟨U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩",
    );

  // A text is [first, count, first, count, …]: ranges of the lines that all texts share.
  const textOf = (ranges) => {
    const found = [];
    for (let i = 0; i < ranges.length; i += 2) found.push(...data.lines.slice(ranges[i], ranges[i] + ranges[i + 1]));
    return found.join("\n");
  };

  const make = (parent, tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = visible(text);
    if (name) element.className = name;
    parent.append(element);
    return element;
  };

  const outcome = (d) => (d.price !== null ? "price " + d.price : d.status === "invalid" ? "unreadable" : d.status);

  const show = (d) => {
    view.replaceChildren();
    make(view, "h3", "Run " + d.run + ", period " + d.period + ", " + d.firm);
    make(view, "p", d.policy, "meta");
    make(view, "p", d.price !== null ? "Price set: " + d.price : "Outcome: " + outcome(d));
    d.notes.forEach(([name, text]) => {
      make(view, "h4", name);
      make(view, "pre", textOf(text) || "(empty)");
    });
    if (d.wording) make(view, "p", "Template " + d.wording, "meta");
    d.calls.forEach((call, place) => {
      make(view, "h4", "Call " + (place + 1) + " to " + call.model);
      call.messages.forEach(([role, text]) => {
        make(view, "p", role, "meta");
        make(view, "pre", textOf(text));
      });
      make(view, "p", "reply", "meta");
      const reply = call.reply === null ? "(none)" : textOf(call.reply) || "(empty)";
      make(view, "pre", reply, call.outcome === "ok" ? "reply" : "reply bad");
      if (call.outcome !== "ok") make(view, "p", call.outcome + ": " + call.detail);
      make(view, "p", call.tokens[0] + " tokens in, " + call.tokens[1] + " out, $" + call.cost.toFixed(5) + ", " + call.seconds + " s, " + call.retries + " repeated requests", "meta");
    });
    if (!d.calls.length) make(view, "p", "No language model was called.", "meta");
  };

  const choose = (button, d) => {
    list.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    button.setAttribute("aria-current", "true");
    show(d);
  };

  let first = 1;
  const fill = () => {
    const found = data.decisions.filter(
      (d) => d.period >= first && FIELDS.every((field) => chosen[field] === undefined || String(d[field]) === chosen[field]),
    );
    list.replaceChildren();
    found.slice(0, LIMIT).forEach((d, place) => {
      const button = make(make(list, "li"), "button", "run " + d.run + ", period " + d.period + ", " + d.firm);
      button.type = "button";
      make(button, "span", d.policy);
      make(button, "span", outcome(d));
      button.addEventListener("click", () => choose(button, d));
      if (place === 0) choose(button, d);
    });
    if (found.length > LIMIT) make(list, "li", "and " + (found.length - LIMIT) + " more: narrow the filters", "more");
    if (!found.length) view.replaceChildren();
    document.getElementById("count").textContent = found.length + " of " + data.decisions.length + " decisions";
  };

  FIELDS.forEach((field) => {
    const values = [...new Set(data.decisions.map((d) => String(d[field])))];
    if (values.length < 2) return;
    const label = make(filters, "label", field);
    const select = make(label, "select");
    make(select, "option", "all").value = "";
    values.forEach((value) => (make(select, "option", value).value = value));
    select.addEventListener("change", () => {
      chosen[field] = select.selectedIndex ? values[select.selectedIndex - 1] : undefined;
      fill();
    });
  });
  const label = make(filters, "label", "from period");
  const input = make(label, "input");
  input.type = "number";
  input.min = input.value = 1;
  input.addEventListener("input", () => {
    first = Number(input.value) || 1;
    fill();
  });
  fill();
})();

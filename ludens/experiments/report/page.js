"use strict";
// The transcript browser. All text goes through textContent: nothing that a model wrote becomes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const LIMIT = 400;
  const FIELDS = ["policy", "protocol", "node", "framing", "order", "question", "status"];
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

  const make = (parent, tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = visible(text);
    if (name) element.className = name;
    parent.append(element);
    return element;
  };

  const percent = (share) => (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %";

  const shares = (parent, names, values) =>
    names.forEach((name, place) => {
      const row = make(parent, "div", undefined, "share");
      make(row, "span", name);
      const bar = make(make(row, "span"), "i");
      bar.style.width = (100 * values[place]).toFixed(1) + "%";
      make(row, "b", percent(values[place]));
    });

  const outcome = (d) => {
    if (d.status !== "valid") return d.status === "invalid" ? "unreadable" : d.status;
    if (d.probabilities) return d.options.map((name, place) => name + " " + percent(d.probabilities[place])).join(", ");
    return d.chosen;
  };

  const show = (d) => {
    view.replaceChildren();
    make(view, "h3", d.protocol + ", " + d.node);
    const wording = d.framing === "-" ? "asked without words" : d.framing + " framing, order " + d.order;
    make(view, "p", [d.policy, "as " + d.role, wording, "replicate " + d.replicate, "episode " + d.episode].join(" · "), "meta");
    if (d.question === "belief") make(view, "p", "Asked what share of people choose each option.");
    make(view, "p", d.chosen === null ? "Outcome: " + outcome(d) : "Taken: " + d.chosen);
    if (d.probabilities) {
      make(view, "h4", "Probabilities" + (d.provenance ? " (" + d.provenance + ")" : ""));
      shares(view, d.options, d.probabilities);
    }
    d.shown.forEach((order) => make(view, "p", "Shown in the order: " + order.join(", "), "meta"));
    if (d.wording) make(view, "p", "Template " + d.wording, "meta");
    if (d.reasoning) {
      make(view, "h4", "Reasoning");
      make(view, "pre", d.reasoning);
    }
    d.calls.forEach((call, place) => {
      make(view, "h4", "Call " + (place + 1) + " to " + call.model);
      call.messages.forEach(([role, text]) => {
        make(view, "p", role, "meta");
        make(view, "pre", data.texts[text]);
      });
      make(view, "p", "reply", "meta");
      make(view, "pre", call.reply === null ? "(none)" : call.reply === "" ? "(empty)" : call.reply, call.outcome === "ok" ? "reply" : "reply bad");
      if (call.outcome !== "ok") make(view, "p", call.outcome + ": " + call.detail);
      if (call.probabilities && d.calls.length > 1) shares(view, d.options, call.probabilities);
      if (call.probabilities) make(view, "p", percent(call.probabilities.reduce((sum, share) => sum + share, 0)) + " of the probability lay on the options", "meta");
      make(view, "p", call.tokens[0] + " tokens in, " + call.tokens[1] + " out, $" + call.cost.toFixed(5) + ", " + call.seconds + " s, " + call.retries + " repeated requests", "meta");
    });
    if (!d.calls.length) make(view, "p", "No language model was called.", "meta");
  };

  const choose = (button, d) => {
    list.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    button.setAttribute("aria-current", "true");
    show(d);
  };

  const fill = () => {
    const found = data.decisions.filter((d) => FIELDS.every((field) => chosen[field] === undefined || String(d[field]) === chosen[field]));
    list.replaceChildren();
    found.slice(0, LIMIT).forEach((d, place) => {
      const button = make(make(list, "li"), "button", d.protocol + ", " + d.node);
      button.type = "button";
      make(button, "span", d.policy + (d.framing === "-" ? "" : ", " + d.framing + ", order " + d.order) + (d.question === "belief" ? ", belief" : ""));
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
  fill();
})();

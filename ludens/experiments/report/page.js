"use strict";
// Copies of tables, and the transcript browser. All text goes through textContent: nothing that a model wrote
// becomes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);

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

  // A page that was opened as a file may not reach the clipboard: the text is then shown, selected.
  const copies = (place) => {
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    const offer = (text) => {
      said.textContent = "press Ctrl+C or ⌘C:";
      const area = make(place, "textarea");
      area.readOnly = true;
      area.rows = 6;
      area.value = text;
      area.setAttribute("aria-label", "The table as text");
      area.focus();
      area.select();
    };
    Object.entries(data.tables[place.dataset.table]).forEach(([format, text]) => {
      const button = make(place, "button", "copy as " + format);
      button.type = "button";
      button.addEventListener("click", () => {
        place.querySelectorAll("textarea").forEach((old) => old.remove());
        said.textContent = "";
        const done = () => (said.textContent = "copied");
        if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => offer(text));
        else offer(text);
      });
    });
    place.append(said);
    place.hidden = false;
  };
  document.querySelectorAll("[data-table]").forEach(copies);

  if (!document.getElementById("transcripts")) return;

  const LIMIT = 400;
  const PREFIX = "#transcripts?";
  const filters = document.getElementById("filters");
  const list = document.getElementById("list");
  const view = document.getElementById("decision");
  const link = document.getElementById("link");
  const inputs = {};
  let current;

  // A text is [first, count, first, count, …]: ranges of the lines that all texts share.
  const textOf = (ranges) => {
    const found = [];
    for (let i = 0; i < ranges.length; i += 2) found.push(...data.lines.slice(ranges[i], ranges[i] + ranges[i + 1]));
    return found.join("\n");
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

  const show = (d) => {
    view.replaceChildren();
    make(view, "h3", d.title);
    if (d.about) make(view, "p", d.about, "meta");
    if (d.asked) make(view, "p", d.asked);
    make(view, "p", d.chosen === undefined ? "Outcome: " + (d.outcome ?? "") : (d.taken ?? "Taken") + ": " + d.chosen);
    if (d.probabilities) {
      make(view, "h4", "Probabilities" + (d.provenance ? " (" + d.provenance + ")" : ""));
      shares(view, d.options, d.probabilities);
    }
    (d.notes ?? []).forEach(([name, text]) => {
      make(view, "h4", name);
      make(view, "pre", textOf(text) || "(empty)");
    });
    (d.shown ?? []).forEach((order) => make(view, "p", "Shown in the order: " + order.join(", "), "meta"));
    if (d.wording) make(view, "p", "Template " + d.wording, "meta");
    if (d.reasoning) {
      make(view, "h4", "Reasoning");
      make(view, "pre", textOf(d.reasoning));
    }
    const calls = d.calls ?? [];
    calls.forEach((call, place) => {
      make(view, "h4", "Call " + (place + 1) + " to " + call.model);
      (call.messages ?? []).forEach(([role, text]) => {
        make(view, "p", role, "meta");
        make(view, "pre", textOf(text));
      });
      make(view, "p", "reply", "meta");
      const reply = call.reply === undefined ? "(none)" : textOf(call.reply) || "(empty)";
      make(view, "pre", reply, call.outcome === "ok" ? "reply" : "reply bad");
      if (call.outcome !== "ok") make(view, "p", call.outcome + ": " + (call.detail ?? ""));
      if (call.probabilities && calls.length > 1) shares(view, d.options, call.probabilities);
      if (call.probabilities) make(view, "p", percent(call.probabilities.reduce((sum, share) => sum + share, 0)) + " of the probability lay on the options", "meta");
      make(view, "p", call.tokens[0] + " tokens in, " + call.tokens[1] + " out, $" + call.cost.toFixed(5) + ", " + call.seconds + " s, " + call.retries + " repeated requests", "meta");
    });
    if (!calls.length) make(view, "p", "No language model was called.", "meta");
  };

  // What is selected, as the part of the address behind the page's: filters that are set, and the decision.
  const address = () => {
    const state = new URLSearchParams();
    Object.entries(inputs).forEach(([name, input]) => {
      if (input.value !== input.dataset.all) state.set(name, input.value);
    });
    if (current > 0) state.set("decision", current);
    return PREFIX + state;
  };

  const choose = (button, d) => {
    list.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    button.setAttribute("aria-current", "true");
    show(d);
    link.href = address();
  };

  const label = (d, name) => d.labels[data.names.indexOf(name)];

  const matches = (d) =>
    Object.entries(inputs).every(([name, input]) =>
      name === data.start ? Number(label(d, name)) >= (Number(input.value) || 0) : input.value === input.dataset.all || label(d, name) === input.value.slice(1),
    );

  // The list of what passes the filters; the decision at the wanted place of it is shown.
  const fill = (wanted = 0) => {
    const found = data.decisions.filter(matches);
    const first = Math.max(0, Math.min(wanted, found.length - LIMIT));
    list.replaceChildren();
    found.slice(first, first + LIMIT).forEach((d, place) => {
      const button = make(make(list, "li"), "button", d.title);
      button.type = "button";
      if (d.brief) make(button, "span", d.brief);
      make(button, "span", d.outcome ?? "");
      const pick = () => {
        current = first + place;
        choose(button, d);
      };
      button.addEventListener("click", pick);
      if (first + place === wanted || place === 0) pick();
    });
    if (found.length > LIMIT) make(list, "li", "and " + (found.length - LIMIT) + " more: narrow the filters", "more");
    if (!found.length) view.replaceChildren();
    document.getElementById("shown").textContent = found.length + " of " + data.decisions.length + " decisions";
    link.href = address();
    const row = wanted && list.querySelector("[aria-current]");
    list.scrollTop = row ? row.offsetTop - list.offsetTop : 0;
  };

  // Values are marked by a "=" before them, so that an empty one is told apart from no filter.
  data.names.filter((name) => name !== data.start).forEach((name) => {
    const values = [...new Set(data.decisions.map((d) => label(d, name)))];
    if (values.length < 2) return;
    const select = make(make(filters, "label", name), "select");
    make(select, "option", "all").value = "";
    values.forEach((value) => (make(select, "option", value).value = "=" + value));
    select.dataset.all = "";
    inputs[name] = select;
  });
  if (data.names.includes(data.start)) {
    const input = make(make(filters, "label", "from " + data.start), "input");
    input.type = "number";
    const least = Math.min(...data.decisions.map((d) => Number(label(d, data.start))));
    input.min = input.value = input.dataset.all = least;
    inputs[data.start] = input;
  }
  Object.values(inputs).forEach((input) =>
    input.addEventListener("input", () => {
      current = 0;
      fill();
    }),
  );

  // A link to a selection restores it.
  const restore = () => {
    if (!location.hash.startsWith(PREFIX)) return false;
    const state = new URLSearchParams(location.hash.slice(PREFIX.length));
    Object.entries(inputs).forEach(([name, input]) => (input.value = state.get(name) ?? input.dataset.all));
    fill(Number(state.get("decision")) || 0);
    document.getElementById("transcripts").scrollIntoView();
    return true;
  };
  window.addEventListener("hashchange", restore);
  if (!restore()) fill();
})();

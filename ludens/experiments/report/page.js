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
  const KEPT = 6;
  const PREFIX = "#transcripts?";
  const filters = document.getElementById("filters");
  const list = document.getElementById("list");
  const view = document.getElementById("decision");
  const link = document.getElementById("link");
  const inputs = {};
  let current;

  // JSON that was compressed by gzip and written in base64.
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  // The piece of a decision, and the decision in it. The pieces used last are kept.
  const unpacked = new Map();
  const detail = async (d) => {
    let place = data.firsts.length - 1;
    while (data.firsts[place] > d.number) place -= 1;
    const piece = unpacked.get(place) ?? unpack(data.pieces[place]);
    unpacked.delete(place);
    unpacked.set(place, piece);
    if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
    const { lines, decisions } = await piece;
    return [decisions[d.number - data.firsts[place]], lines];
  };

  // A text is [first, count, first, count, …]: ranges of the lines that all texts of a piece share.
  const joined = (lines, ranges) => {
    const found = [];
    for (let i = 0; i < ranges.length; i += 2) found.push(...lines.slice(ranges[i], ranges[i] + ranges[i + 1]));
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

  const show = (title, outcome, d, lines) => {
    const textOf = (ranges) => joined(lines, ranges);
    view.replaceChildren();
    make(view, "h3", title);
    if (d.about) make(view, "p", d.about, "meta");
    if (d.asked) make(view, "p", d.asked);
    make(view, "p", d.chosen === undefined ? "Outcome: " + outcome : (d.taken ?? "Taken") + ": " + d.chosen);
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

  let chosen;
  const choose = async (button, d) => {
    list.querySelectorAll("[aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    button.setAttribute("aria-current", "true");
    link.href = address();
    chosen = d;
    const found = await detail(d);
    // While a piece was unpacked, another decision may have been chosen.
    if (chosen === d) show(d.title, d.outcome, ...found);
  };

  let decisions = [];
  const label = (d, name) => d.labels[data.names.indexOf(name)];

  const matches = (d) =>
    Object.entries(inputs).every(([name, input]) =>
      name === data.start ? Number(label(d, name)) >= (Number(input.value) || 0) : input.value === input.dataset.all || label(d, name) === input.value.slice(1),
    );

  // The list of what passes the filters; the decision at the wanted place of it is shown.
  const fill = (wanted = 0) => {
    const found = decisions.filter(matches);
    const first = Math.max(0, Math.min(wanted, found.length - LIMIT));
    list.replaceChildren();
    found.slice(first, first + LIMIT).forEach((d, place) => {
      const button = make(make(list, "li"), "button", d.title);
      button.type = "button";
      if (d.brief) make(button, "span", d.brief);
      make(button, "span", d.outcome);
      const pick = () => {
        current = first + place;
        choose(button, d);
      };
      button.addEventListener("click", pick);
      if (first + place === wanted || place === 0) pick();
    });
    if (found.length > LIMIT) make(list, "li", "and " + (found.length - LIMIT) + " more: narrow the filters", "more");
    if (!found.length) view.replaceChildren();
    document.getElementById("shown").textContent = found.length + " of " + decisions.length + " decisions";
    link.href = address();
    const row = wanted && list.querySelector("[aria-current]");
    list.scrollTop = row ? row.offsetTop - list.offsetTop : 0;
  };

  // Values are marked by a "=" before them, so that an empty one is told apart from no filter.
  const offer = () => {
    data.names.filter((name) => name !== data.start).forEach((name) => {
      const values = [...new Set(decisions.map((d) => label(d, name)))];
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
      const least = decisions.reduce((low, d) => Math.min(low, Number(label(d, data.start))), Infinity);
      input.min = input.value = input.dataset.all = least;
      inputs[data.start] = input;
    }
    Object.values(inputs).forEach((input) =>
      input.addEventListener("input", () => {
        current = 0;
        fill();
      }),
    );
  };

  // A link to a selection restores it.
  const restore = () => {
    if (!location.hash.startsWith(PREFIX)) return false;
    const state = new URLSearchParams(location.hash.slice(PREFIX.length));
    Object.entries(inputs).forEach(([name, input]) => (input.value = state.get(name) ?? input.dataset.all));
    fill(Number(state.get("decision")) || 0);
    document.getElementById("transcripts").scrollIntoView();
    return true;
  };

  const open = async () => {
    const rows = await unpack(data.list);
    decisions = rows.map(([title, labels, brief, outcome], number) => ({ number, title, labels, brief, outcome }));
    offer();
    window.addEventListener("hashchange", restore);
    if (!restore()) fill();
  };
  open().catch(() => {
    const said = "This browser cannot unpack the transcripts; `ludens show` prints the same texts.";
    document.getElementById("shown").textContent = said;
  });
})();

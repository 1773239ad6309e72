// Puts the page together: one operation is chosen at any time, and everything shows its moment.

function momentOf(number, step) {
  const operation = byNumber.get(number);
  const panel = document.getElementById("moment");
  const title = element("h3", {},
    element("span", {}, `Operation ${operation.number}, ${place(operation)}`),
    element("span", {},
      element("button", { type: "button", "aria-label": "Earlier operation", onclick: () => step(-1) }, "↑"), " ",
      element("button", { type: "button", "aria-label": "Later operation", onclick: () => step(1) }, "↓")));
  const parts = [title, element("p", { class: "what" }, operation.command), element("p", { class: "outcome" }, `→ ${outcome(operation)}`)];
  const line = (kind, text) => parts.push(element("p", { class: `verdictline ${kind}` }, text));
  if (reasons.has(number)) line("bad", `✗ Cannot come next: ${reasons.get(number)}`);
  else if (number === record.evidence.number) line("bad", `✗ Expected: ${record.evidence.expected}`);
  if (contradicting.has(number)) line("bad", "◆ Its answer is one of the fewest that contradict one another.");
  if (operation.rank != null) line("good", `● Takes effect as number ${operation.rank} of the longest order that the model allows.`);
  if (operation.ending === "unknown") line("caution", "? Nobody knows whether it had an effect; both are allowed for.");
  if (operation.ending === "refused") line("caution", "∅ It was refused, and had no effect.");
  if (operation.started != null)
    parts.push(element("p", { class: "note" }, `From ${time(operation.started)}, for ${time(operation.seconds)}.`));
  const [before, after] = [record.states[operation.before], record.states[operation.after]];
  const shown = after ?? before ?? (operation.part === "lane" ? null : record.states[0]);
  if (shown && record.machines.length)
    parts.push(element("h4", {}, after ? "The network after it" : "The network before it"), drawMap(shown, operation));
  if (before) {
    const same = after && before.text === after.text;
    const state = element("p", { class: "state" });
    if (after && !same) state.append(...shownDifference(before.text, after.text)); else state.append(before.text);
    const heading = !after ? "The model's state before it" : same ? "The model's state: no change" : "What it changes in the model's state";
    parts.push(element("h4", {}, heading), state);
  }
  panel.replaceChildren(...parts);
}

function filters(apply) {
  const select = (label, options) => {
    const box = element("select", { onchange: () => apply() }, ...options.map(([value, text]) => element("option", { value }, text)));
    return [box, element("label", {}, label, box)];
  };
  const input = (label, properties) => {
    const box = element("input", { ...properties, oninput: () => apply() });
    return [box, element("label", {}, label, box)];
  };
  const names = record.machines.map((machine) => machine.name);
  const kinds = [...new Set(record.operations.map((operation) => operation.kind))].sort();
  const [machine, machineLabel] = select("Machine", [["", "all"], ...names.map((name) => [`=${name}`, name])]);
  const [kind, kindLabel] = select("Kind", [["", "all"], ...kinds.map((kind) => [`=${kind}`, kind])]);
  const [text, textLabel] = input("With the text", { type: "search" });
  const [from, fromLabel] = input("From, in seconds", { type: "number", min: 0, step: "any" });
  const [to, toLabel] = input("To, in seconds", { type: "number", min: 0, step: "any" });
  const timed = record.operations.some((operation) => operation.started != null);
  const fits = (operation) => {
    const wanted = text.value.toLowerCase();
    const [start, end] = [operation.started ?? 0, (operation.started ?? 0) + (operation.seconds ?? 0)];
    return (!machine.value || operation.machines.length === 0 || operation.machines.includes(machine.value.slice(1)))
      && (!kind.value || operation.kind === kind.value.slice(1))
      && (!wanted || `${operation.command} ${outcome(operation)}`.toLowerCase().includes(wanted))
      && (from.value === "" || end >= Number(from.value)) && (to.value === "" || start <= Number(to.value));
  };
  const shown = element("output", { class: "note" });
  const tools = element("div", { class: "tools", role: "search", "aria-label": "Which operations are shown" },
    names.length > 1 ? machineLabel : null, kinds.length > 1 ? kindLabel : null, textLabel,
    timed ? fromLabel : null, timed ? toLabel : null, shown);
  const wanted = () => ({ machine: machine.value.slice(1), from: from.value, to: to.value });
  return { tools, shown, fits, wanted };
}

function legend() {
  const marks = [["✗", "wrong answer, or cannot come next"]];
  if (record.evidence.order.length) marks.push(["●", "has its place in the longest order that the model allows"]);
  if (contradicting.size) marks.push(["◆", "one of the fewest answers that contradict one another"]);
  if (record.machines.length) marks.push(["● ○ ‖", "machine on, off, paused; underlined: something is wrong with it"]);
  if (record.operations.some((operation) => operation.ending === "unknown")) marks.push(["dashed", "outcome unknown"]);
  if (record.operations.some((operation) => operation.ending === "refused")) marks.push(["struck out", "refused"]);
  return element("ul", { class: "legend" }, ...marks.map(([sign, text]) => element("li", {}, element("b", {}, sign), ` ${text}`)));
}

function start() {
  const live = document.getElementById("live");
  if (record.operations.length > 0) {
    let chosen;
    const step = (by) => {
      const list = history.operations;
      const next = list[(history.index.get(chosen) ?? 0) + by];
      if (next) choose(next.number, true);
    };
    const choose = (number, scroll) => {
      chosen = number;
      history.mark(number, scroll);
      overview.mark(number);
      stream?.mark(number);
      momentOf(number, step);
    };
    const history = new History(choose);
    const overview = new Overview(choose);
    const beside = document.getElementById("stream");
    const stream = beside ? new Stream(choose) : null;
    const { tools, shown, fits, wanted } = filters(() => {
      const operations = record.operations.filter(fits);
      history.show(operations);
      stream?.filter(wanted());
      shown.value = operations.length === record.operations.length ? "" : `${operations.length} of ${record.operations.length} shown`;
    });
    const moment = element("aside", { class: "moment", id: "moment", "aria-label": "The chosen operation" });
    live.append(tools, overview.canvas, legend(), element("div", { class: "bench" }, history.root, moment));
    live.hidden = false;
    beside?.append(stream.tools(), stream.root);
    choose(byNumber.has(record.evidence.number) ? record.evidence.number : record.operations[0].number, true);
    for (const link of document.querySelectorAll("[data-operation]"))
      link.addEventListener("click", () => choose(Number(link.dataset.operation), true));
    addEventListener("beforeprint", () => history.print(true));
    addEventListener("afterprint", () => history.print(false));
  }
  const trail = document.getElementById("trail");
  if (trail) drawTrail(trail);
  // How many milliseconds it took from the moment at which the page was asked for.
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

start();

// The history: lanes side by side, time going down. Only the rows in view are in the document, so that
// tens of thousands of operations stay usable. A row begins with each call; an operation whose box
// reaches into the row of another was still running when that one was given.

const ROLES = {
  command: "", ask: "ask", boot: "boot", off: "off", pause: "pause", resume: "resume", fault: "fault", heal: "heal",
};

// So many operations are printed at most, from the first.
const ON_PAPER = 300;

class History {
  constructor(choose) {
    this.choose = choose;
    this.hasStrips = record.machines.length > 0 && record.machines.length <= 8;
    this.hasChanges = record.lanes === 0 && record.operations.some((operation) => operation.before != null);
    this.rows = element("div", { class: "rows", role: "listbox", tabindex: 0, "aria-label": "Operations; arrow keys go from one to the next" });
    this.heads = element("div", { class: "heads", "aria-hidden": true });
    this.root = element("div", { class: "lanes" }, this.heads, this.rows);
    this.root.addEventListener("scroll", () => this.draw());
    this.rows.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.show(record.operations);
  }

  // Which operations are shown, and the rows that each takes.
  show(operations) {
    this.operations = operations;
    this.index = new Map(operations.map((operation, index) => [operation.number, index]));
    const calls = operations.map((operation) => operation.called);
    this.ends = operations.map((operation, index) => {
      if (operation.part !== "lane") return index;
      if (operation.ended == null) return Math.max(index, this.lastOfLane(operation, index));
      let [low, high] = [index, calls.length];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (calls[middle] < operation.ended) low = middle; else high = middle;
      }
      return low;
    });
    this.longest = this.ends.reduce((most, end, index) => Math.max(most, end - index), 0);
    this.drawHeads();
    this.drawn = "";
    this.draw();
  }

  // Nobody heard of its end: it is open until its lane, or all lanes, end.
  lastOfLane(operation, index) {
    let end = index;
    for (let next = index + 1; next < this.operations.length && this.operations[next].part === "lane"; next++) {
      if (this.operations[next].lane === operation.lane) break;
      end = next;
    }
    return end;
  }

  columns() {
    const strips = this.hasStrips ? `${record.machines.length * 1.7 + 0.5}rem ` : "";
    const lanes = `repeat(${Math.max(1, record.lanes)}, minmax(${record.lanes > 1 ? 9 : 11}rem, 1fr))`;
    return `5.5rem ${strips}${lanes}${this.hasChanges && innerWidth > 640 ? " minmax(9rem, .8fr)" : ""}`;
  }

  drawHeads() {
    const names = record.lanes > 0 ? Array.from({ length: record.lanes }, (_, lane) => `lane ${lane + 1}`) : ["command → answer"];
    const strips = this.hasStrips
      ? element("span", { class: "strips" }, ...record.machines.map((machine) => element("i", { title: machine.name }, short(machine.name, 3))))
      : null;
    this.heads.replaceChildren(
      element("span", {}, "time"), ...(strips ? [strips] : []), ...names.map((name) => element("span", {}, name)),
      ...(this.hasChanges ? [element("span", { class: "change-head" }, "what changes in the model")] : []));
  }

  rowHeight() {
    if (!this.height) this.height = 3.25 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    return this.height;
  }

  draw() {
    const height = this.rowHeight();
    const top = Math.max(0, this.root.scrollTop - this.heads.offsetHeight);
    const first = this.printing ? 0 : Math.max(0, Math.floor(top / height) - 8);
    const seen = this.printing ? ON_PAPER : Math.ceil((top + this.root.clientHeight) / height) + 8;
    const last = Math.min(this.operations.length, seen);
    const columns = this.columns();
    const state = `${first} ${last} ${columns} ${this.chosen} ${this.operations.length}`;
    if (state === this.drawn) return;
    this.drawn = state;
    this.heads.style.gridTemplateColumns = columns;
    this.rows.style.height = `${(this.printing ? last : this.operations.length) * height}px`;
    const boxes = [];
    // What began before the view may reach into it.
    for (let index = Math.max(0, first - Math.min(this.longest, 2000)); index < last; index++)
      if (this.ends[index] >= first) boxes.push(this.row(this.operations[index], index, height, columns));
    this.rows.replaceChildren(...boxes);
    const chosen = this.index.get(this.chosen);
    if (chosen != null && chosen >= first && chosen < last) this.rows.setAttribute("aria-activedescendant", `operation-${this.chosen}`);
    else this.rows.removeAttribute("aria-activedescendant");
  }

  row(operation, index, height, columns) {
    const span = this.ends[index] - index + 1;
    const row = element("div", { class: "row", role: "presentation" });
    row.style.top = `${index * height}px`;
    row.style.height = `${span * height}px`;
    row.style.gridTemplateColumns = columns;
    row.append(element("span", { class: "when" }, time(operation.started)));
    if (this.hasStrips) row.append(this.strips(operation));
    const box = this.box(operation, index);
    const lane = 2 + (this.hasStrips ? 1 : 0);
    box.style.gridColumn = operation.part === "lane" ? `${lane + operation.lane - 1}` : `${lane} / span ${Math.max(1, record.lanes)}`;
    row.append(box);
    if (this.hasChanges && innerWidth > 640) row.append(this.change(operation));
    return row;
  }

  box(operation, index) {
    const wrong = operation.number === record.evidence.number;
    const blocked = reasons.has(operation.number);
    const marks = [];
    if (wrong) marks.push("✗ wrong answer"); else if (blocked) marks.push("✗ cannot come next");
    if (contradicting.has(operation.number)) marks.push("◆");
    if (operation.rank != null) marks.push(`● ${operation.rank}. in the order`);
    const tag = ROLES[operation.role];
    const classes = ["operation", operation.role, operation.ending, wrong && "wrong", blocked && "blocked", operation.number === this.chosen && "chosen"];
    return element("div", {
      class: classes.filter(Boolean).join(" "), role: "option", id: `operation-${operation.number}`,
      "aria-selected": operation.number === this.chosen ? "true" : "false",
      "aria-setsize": this.operations.length, "aria-posinset": index + 1,
      onclick: () => this.choose(operation.number),
    },
    element("span", { class: "first" },
      element("span", { class: "number" }, String(operation.number)), " ",
      tag ? element("span", { class: "tag" }, tag) : null,
      element("code", {}, operation.command)),
    element("span", { class: "answer" },
      marks.length ? element("span", { class: "mark" }, marks.join("  ")) : null, `→ ${outcome(operation)}`));
  }

  strips(operation) {
    const state = record.states[operation.after ?? operation.before];
    const signs = { on: "●", off: "○", paused: "‖" };
    const cell = (machine, index) => {
      const power = operation.part === "lane" || !state ? null : state.power[index];
      if (!power) return element("i", {}, "");
      const ill = state.notes[index].length > 0 || state.links.some((link) => link.from === machine.name || link.to === machine.name);
      return element("i", { class: `${power}${ill ? " ill" : ""}`, title: `${machine.name} is ${power}${ill ? ", and something is wrong" : ""}` }, signs[power]);
    };
    return element("span", { class: "strips", "aria-hidden": true }, ...record.machines.map(cell));
  }

  change(operation) {
    const [before, after] = [record.states[operation.before], record.states[operation.after]];
    const shown = element("span", { class: "change" });
    if (before && after && before.text !== after.text) shown.append(...shownDifference(before.text, after.text, 14));
    return shown;
  }

  // On paper all are shown, as far as that is of use.
  print(printing) {
    this.printing = printing;
    this.drawn = "";
    this.draw();
  }

  // Chooses an operation, and has it in view.
  mark(number, scroll) {
    this.chosen = number;
    const index = this.index.get(number);
    if (scroll && index != null) {
      const [height, head] = [this.rowHeight(), this.heads.offsetHeight];
      const [top, view] = [index * height, this.root.clientHeight - head];
      if (top < this.root.scrollTop || top + height > this.root.scrollTop + view)
        this.root.scrollTop = Math.max(0, top - view / 2 + height / 2);
    }
    this.draw();
  }

  key(event) {
    const at = this.index.get(this.chosen) ?? 0;
    const page = Math.max(1, Math.floor(this.root.clientHeight / this.rowHeight()) - 1);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.operations.length - 1 };
    let next = steps[event.key];
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") next = this.inNextLane(at, event.key === "ArrowRight" ? 1 : -1);
    if (next == null || this.operations.length === 0) return;
    event.preventDefault();
    this.choose(this.operations[Math.min(Math.max(next, 0), this.operations.length - 1)].number, true);
  }

  // The nearest operation in the lane beside this one.
  inNextLane(at, step) {
    const own = this.operations[at];
    if (own?.part !== "lane") return null;
    const lane = own.lane + step;
    const near = (index) => this.operations[index]?.part === "lane" && this.operations[index].lane === lane;
    for (let away = 1; away < 2000; away++) {
      if (near(at - away)) return at - away;
      if (near(at + away)) return at + away;
    }
    return null;
  }
}

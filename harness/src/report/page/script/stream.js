// What machines said on their consoles, what their services said, the packets, and the commands between them, on one clock.

class Stream {
  constructor(choose) {
    this.choose = choose;
    const lines = record.consoles.flatMap(({ machine, voice, lines }) =>
      lines.map(({ at, text }) => ({ at, machine, source: machine, kind: voice, text })));
    const packets = (record.capture?.packets ?? []).map(({ at, machine, is_sent: isSent, what }) =>
      ({ at, machine, source: `${machine} ${isSent ? "sends" : "is given"}`, kind: "packet", text: what }));
    const commands = record.operations.map((operation) => ({
      at: operation.started, operation, source: `${operation.number}.`, kind: "command",
      text: `${operation.command} → ${outcome(operation)}`,
    }));
    // What has no time comes first, as it came.
    const when = (entry) => entry.at ?? -Infinity;
    this.all = [...lines, ...packets, ...commands].sort((one, other) => (when(one) < when(other) ? -1 : when(one) > when(other) ? 1 : 0));
    this.sought = "";
    this.wanted = { machine: "", from: "", to: "" };
    this.rows = element("div", { class: "rows", role: "list" });
    this.root = element("div", { class: "stream", tabindex: 0, role: "region", "aria-label": "Consoles, packets and commands by time" }, this.rows);
    this.root.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.kinds = new Set(["console", "journal", "packet", "command"]);
    this.show();
  }

  tools() {
    const search = element("input", { type: "search", oninput: () => { this.sought = search.value.toLowerCase(); this.show(); } });
    const box = (kind, text) => {
      const input = element("input", { type: "checkbox", checked: true, onchange: () => {
        if (input.checked) this.kinds.add(kind); else this.kinds.delete(kind);
        this.show();
      } });
      return element("label", { class: "check" }, input, ` ${text}`);
    };
    const has = (kind) => this.all.some((entry) => entry.kind === kind);
    this.count = element("output", { class: "note" });
    return element("div", { class: "tools" }, element("label", {}, "With the text", search),
      has("console") ? box("console", "consoles") : null, has("journal") ? box("journal", "services") : null, has("packet") ? box("packet", "packets") : null, box("command", "commands"), this.count);
  }

  // Machine and time are those of the history's filter.
  filter(wanted) {
    this.wanted = wanted;
    this.show();
  }

  show() {
    const { machine, from, to } = this.wanted;
    const concerns = (entry) => !machine || entry.machine === machine || entry.operation?.machines.includes(machine);
    const isThen = (entry) => (from === "" || (entry.at ?? 0) >= Number(from)) && (to === "" || (entry.at ?? 0) <= Number(to));
    this.entries = this.all.filter((entry) =>
      this.kinds.has(entry.kind) && concerns(entry) && isThen(entry)
      && (!this.sought || entry.text.toLowerCase().includes(this.sought)));
    this.drawn = "";
    if (this.count) this.count.value = `${this.entries.length} of ${this.all.length} lines`;
    this.draw();
  }

  draw() {
    this.height ??= 1.6 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const first = Math.max(0, Math.floor(this.root.scrollTop / this.height) - 10);
    const last = Math.min(this.entries.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / this.height) + 10);
    const state = `${first} ${last} ${this.chosen}`;
    if (state === this.drawn) return;
    this.drawn = state;
    this.rows.style.height = `${this.entries.length * this.height}px`;
    this.rows.replaceChildren(...this.entries.slice(first, last).map((entry, index) => this.row(entry, first + index)));
  }

  row(entry, index) {
    const chosen = entry.operation && entry.operation.number === this.chosen ? " chosen" : "";
    const row = element("div", { class: `entry ${entry.kind}${chosen}`, role: "listitem", title: entry.text },
      element("span", { class: "when" }, entry.at == null ? "" : `${entry.at.toFixed(3)} s`),
      element("span", { class: "source" }, entry.source), element("span", { class: "text" }, entry.text));
    row.style.top = `${index * this.height}px`;
    if (entry.operation) row.addEventListener("click", () => this.choose(entry.operation.number, true));
    return row;
  }

  // Has the moment of an operation in view.
  mark(number) {
    this.chosen = number;
    const index = this.entries.findIndex((entry) => entry.operation?.number === number);
    if (index >= 0) this.root.scrollTop = Math.max(0, index * this.height - this.root.clientHeight * 0.6);
    this.draw();
  }
}

// All operations at once on the clock of the case: a help for the eye, beside the list that says the same.

class Overview {
  constructor(choose) {
    this.choose = choose;
    this.timed = record.operations.length > 0 && record.operations.every((operation) => operation.started != null);
    this.canvas = element("canvas", { class: "overview", role: "img", "aria-label": "All operations on one clock, a row for each lane" });
    this.canvas.addEventListener("click", (event) => this.pick(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    const last = (most, operation) => Math.max(most, this.span(operation)[1]);
    this.end = record.operations.reduce(last, 0);
    this.start = record.operations.reduce((least, operation) => Math.min(least, this.span(operation)[0]), this.end);
    if (this.end === this.start) this.end += 1;
  }

  span(operation) {
    if (this.timed) return [operation.started, operation.started + (operation.seconds ?? 0)];
    return [operation.called, operation.ended ?? operation.called + 1];
  }

  scale() {
    const left = 8;
    return { left, width: Math.max(1, this.canvas.clientWidth - 2 * left) };
  }

  draw() {
    const [width, height, ratio] = [this.canvas.clientWidth, this.canvas.clientHeight, devicePixelRatio || 1];
    if (!width) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const colours = { ask: colour("accent"), fault: colour("fault"), pause: colour("pause"), boot: colour("right"), heal: colour("right"), resume: colour("right") };
    const { left, width: inner } = this.scale();
    const first = record.operations.some((operation) => operation.lane == null) ? 0 : 1;
    const [above, below] = [15, 17];
    const room = (height - above - below) / (record.lanes + 1 - first);
    const x = (at) => left + ((at - this.start) / (this.end - this.start)) * inner;
    for (const operation of record.operations) {
      const [from, to] = this.span(operation);
      const top = above + ((operation.lane ?? 0) - first) * room;
      const isWrong = operation.number === record.evidence.number;
      pen.fillStyle = isWrong ? colour("wrong") : operation.ending === "unknown" ? colour("warn") : colours[operation.role] ?? colour("muted");
      pen.fillRect(x(from), top + 1, Math.max(1.5, x(to) - x(from) - 0.5), Math.max(2, room - 3));
    }
    pen.fillStyle = colour("muted");
    pen.font = "11px system-ui, sans-serif";
    const shown = (at) => (this.timed ? time(at) : `event ${at}`);
    pen.fillText(shown(this.start), left, height - 4);
    pen.fillText(shown(this.end), left + inner - pen.measureText(shown(this.end)).width, height - 4);
    const lines = [above, height - below];
    this.line(pen, byNumber.get(record.evidence.number), colour("wrong"), lines, x, "✗");
    this.line(pen, byNumber.get(this.chosen), colour("accent"), lines, x, this.chosen === record.evidence.number ? "" : "▾");
  }

  line(pen, operation, colour, [top, bottom], x, sign) {
    if (!operation || !sign) return;
    const at = x(this.span(operation)[0]);
    pen.fillStyle = colour;
    pen.fillRect(at - 1, top, 2, bottom - top);
    pen.fillText(sign, at - 4, top - 3);
  }

  mark(number) {
    this.chosen = number;
    this.draw();
  }

  pick(event) {
    const { left, width } = this.scale();
    const at = this.start + ((event.offsetX - left) / width) * (this.end - this.start);
    let [best, least] = [null, Infinity];
    for (const operation of record.operations) {
      const [from, to] = this.span(operation);
      const away = at < from ? from - at : at > to ? at - to : 0;
      if (away < least) [best, least] = [operation, away];
    }
    if (best) this.choose(best.number, true);
  }
}

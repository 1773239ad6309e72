// The map of the network at one moment: machines in a ring, and the ways that are cut or worse.

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, properties, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  return made;
}

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function ring(count) {
  const [middle, height, radius] = [160, 112, count > 1 ? 80 : 0];
  return Array.from({ length: count }, (_, index) => {
    const angle = (2 * Math.PI * index) / count - (count === 2 ? Math.PI : Math.PI / 2);
    return { x: middle + 1.3 * radius * Math.cos(angle), y: height + radius * Math.sin(angle) };
  });
}

// A line between two machines, a little beside the straight one so that the way back is seen too.
function way(from, to, aside) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [x, y] = [-(dy / length) * aside, (dx / length) * aside];
  const at = (share) => ({ x: from.x + dx * share + x, y: from.y + dy * share + y });
  const [start, end] = [at(28 / length), at(1 - 28 / length)];
  return { line: `M${start.x} ${start.y}L${end.x} ${end.y}`, middle: at(0.42) };
}

function inWords(state) {
  const machines = record.machines.map((machine, index) =>
    [`${machine.name} is ${state.power[index]}`, ...state.notes[index]].join(", "));
  const links = state.links.map((link) => `${link.from} to ${link.to}: ${link.what}`);
  return [...machines, ...links].join("; ");
}

function drawMap(state, operation) {
  const places = ring(record.machines.length);
  const names = record.machines.map((machine) => machine.name);
  const picture = drawn("svg", { class: "map", viewBox: places.length > 1 ? "0 0 320 246" : "0 82 320 80", role: "img" });
  picture.append(drawn("title", {}, `The network: ${inWords(state)}`));
  const arrow = drawn("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
  arrow.append(drawn("path", { d: "M0 0L8 4L0 8z", fill: "context-stroke" }));
  picture.append(arrow);
  const broken = new Set(state.links.map((link) => `${names.indexOf(link.from)} ${names.indexOf(link.to)}`));
  if (names.length <= 12)
    for (let one = 0; one < names.length; one++)
      for (let other = one + 1; other < names.length; other++)
        if (!broken.has(`${one} ${other}`) || !broken.has(`${other} ${one}`))
          picture.append(drawn("path", { class: "way", d: way(places[one], places[other], 0).line }));
  const cuts = new Set(state.links.filter((link) => link.cut).map((link) => JSON.stringify([link.from, link.to])));
  for (const link of state.links) {
    const [from, to] = [places[names.indexOf(link.from)], places[names.indexOf(link.to)]];
    if (!from || !to) continue;
    const isBoth = link.cut && cuts.has(JSON.stringify([link.to, link.from]));
    // What is cut both ways is one line.
    if (isBoth && names.indexOf(link.from) > names.indexOf(link.to)) continue;
    const { line, middle } = way(from, to, isBoth ? 0 : 5);
    const tip = isBoth ? {} : { "marker-end": "url(#tip)" };
    picture.append(drawn("path", { class: link.cut ? "cut" : "worse", d: line, ...tip }));
    const label = link.cut ? "✕" : short(link.what, 18);
    picture.append(drawn("text", { class: link.cut ? "cross" : "small", x: middle.x, y: middle.y + 4, "text-anchor": "middle" }, label));
  }
  if (operation.role === "ask" && operation.machines.length === 2) {
    const [from, to] = operation.machines.map((name) => places[names.indexOf(name)]);
    if (from && to && from !== to)
      picture.append(drawn("path", { class: "asks", d: way(from, to, -9).line, "marker-end": "url(#tip)" }));
  }
  record.machines.forEach((machine, index) => {
    const { x, y } = places[index];
    const concerned = operation.machines.includes(machine.name) ? " concerned" : "";
    const centred = { x, "text-anchor": "middle" };
    picture.append(drawn("circle", { class: `machine ${state.power[index]}${concerned}`, cx: x, cy: y, r: 20 }));
    picture.append(drawn("text", { class: "small", ...centred, y: y + 4 }, state.power[index]));
    picture.append(drawn("text", { class: "name", ...centred, y: y + 34 }, short(machine.name, 16)));
    const notes = state.notes[index].join(", ");
    if (notes) picture.append(drawn("text", { class: "small", ...centred, y: y + 46 }, short(notes, 26)));
  });
  return picture;
}

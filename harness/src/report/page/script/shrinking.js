// The tree of shrinking: from the first failing case to the smallest, with what was dropped at each.

function fate(candidate) {
  const { fate } = candidate;
  if (typeof fate === "string")
    return { kept: "kept: it fails in the same way", holds: "dropped: it holds", otherwise: "dropped: it fails in another way" }[fate] ?? fate;
  if (fate.seldom) return `dropped: it fails in ${fate.seldom.failed} of ${fate.seldom.runs} runs only`;
  return `dropped: ${fate.undecided}`;
}

function candidateLine(candidate) {
  const runs = candidate.runs === 1 ? "1 run" : `${candidate.runs} runs`;
  return element("span", { class: candidate.fate === "kept" ? "kept" : "" },
    `${candidate.change} (${candidate.commands} commands): ${fate(candidate)} `,
    element("span", { class: "cost" }, `${runs}, ${time(candidate.seconds)}`));
}

// One case that was kept: what was tried from it and dropped, folded up, then the one that was kept.
function branch(children, from) {
  const tried = children.get(from) ?? [];
  const dropped = tried.filter(([candidate]) => candidate.fate !== "kept");
  if (!dropped.length) return null;
  const list = element("ul", { class: "tree" });
  const details = element("details", {}, element("summary", {}, `${dropped.length} tried from here and dropped`), list);
  details.addEventListener("toggle", () => {
    if (!list.children.length) list.append(...dropped.map(([candidate]) => element("li", {}, candidateLine(candidate))));
  });
  return details;
}

function drawTrail(into) {
  const { candidates, left_out: leftOut } = record.shrinking;
  const children = new Map();
  candidates.forEach((candidate, index) => {
    const from = candidate.from ?? -1;
    if (!children.has(from)) children.set(from, []);
    children.get(from).push([candidate, index]);
  });
  const list = element("ol", { class: "tree" });
  const first = element("span", { class: "kept" }, `the first failing case (${record.commands_at_first} commands)`);
  list.append(element("li", {}, first, branch(children, -1)));
  candidates.forEach((candidate, index) => {
    if (candidate.fate === "kept") list.append(element("li", {}, candidateLine(candidate), branch(children, index)));
  });
  into.append(list);
  if (leftOut) into.append(element("p", { class: "note" }, `${leftOut} more came to nothing and are not listed.`));
  into.hidden = false;
}

"use strict";
// Texts and elements. Whatever a record says is put in by textContent, never as markup.

const record = JSON.parse(document.getElementById("record").textContent);

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

function time(seconds) {
  if (seconds == null) return "";
  if (seconds === 0) return "0 s";
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

function outcome(operation) {
  return operation.ending === "answered" ? operation.came : `${operation.ending}: ${operation.came}`;
}

function place(operation) {
  if (operation.part === "lane") return `lane ${operation.lane}`;
  return operation.part === "finally" ? "at the end" : "in sequence";
}

const byNumber = new Map(record.operations.map((operation) => [operation.number, operation]));
const contradicting = new Set(record.evidence.contradiction?.operations ?? []);
const reasons = new Map(record.evidence.obstacles.map((obstacle) => [obstacle.number, obstacle.why]));

// The words of a text, with what lies between them.
const words = (text) => text.split(/([\s,;:(){}[\]]+)/).filter((word) => word !== "");

// The longest common subsequence of two short lists, as pairs of places.
function common(one, other) {
  const width = other.length + 1;
  const lengths = new Uint16Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i--)
    for (let j = other.length - 1; j >= 0; j--)
      lengths[i * width + j] = one[i] === other[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  const pairs = [];
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    if (one[i] === other[j]) pairs.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

// What became of a text: parts that stayed, went and came. Long ones differ as a whole.
function difference(before, after) {
  const [one, other] = [words(before), words(after)];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const [gone, come] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  const parts = [];
  const add = (kind, list) => { if (list.length) parts.push([kind, list.join("")]); };
  add("same", one.slice(0, start));
  let [i, j] = [0, 0];
  const pairs = gone.length * come.length < 40000 ? common(gone, come) : [];
  for (const [left, right] of [...pairs, [gone.length, come.length]]) {
    add("del", gone.slice(i, left));
    add("ins", come.slice(j, right));
    if (left < gone.length) add("same", [gone[left]]);
    [i, j] = [left + 1, right + 1];
  }
  add("same", one.slice(one.length - end));
  return parts;
}

// Shows a difference; what stayed is cut to so many letters around what changed.
function shownDifference(before, after, around = Infinity) {
  const parts = difference(before, after);
  return parts.map(([kind, text], index) => {
    if (kind !== "same") {
      const said = element("span", { class: "visually-hidden" }, kind === "del" ? " no longer " : " now ");
      return element(kind, {}, said, text);
    }
    if (text.length <= 2 * around) return document.createTextNode(text);
    const [head, tail] = [text.slice(0, around), text.slice(-around)];
    if (index === 0) return document.createTextNode(`…${tail}`);
    return document.createTextNode(index === parts.length - 1 ? `${head}…` : `${head}…${tail}`);
  });
}

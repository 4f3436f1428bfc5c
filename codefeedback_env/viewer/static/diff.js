// What changed from one program to the next, line by line.

const MAX_TABLE_CELLS = 4_000_000;
const CONTEXT_LINES = 3;
const MAX_DIFF_LINES = 400;

/** Steps [kind, before, after]: kind "same", "removed" or "added"; the line of each side or null. */
function lineDiff(before, after) {
  const [a, b] = [before, after];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  const room = Math.min(a.length, b.length) - head;
  while (tail < room && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const steps = [];
  for (let i = 0; i < head; i += 1) steps.push(["same", i, i]);
  middle(a, b, head, a.length - tail, b.length - tail, steps);
  for (let i = tail; i > 0; i -= 1) steps.push(["same", a.length - i, b.length - i]);
  return steps;
}

/** The longest common subsequence of the lines from `start` to the two ends. */
function middle(a, b, start, aEnd, bEnd, steps) {
  const [n, m] = [aEnd - start, bEnd - start];
  if ((n + 1) * (m + 1) > MAX_TABLE_CELLS) {
    for (let i = start; i < aEnd; i += 1) steps.push(["removed", i, null]);
    for (let j = start; j < bEnd; j += 1) steps.push(["added", null, j]);
    return;
  }
  const width = m + 1;
  const common = new Uint32Array((n + 1) * width); // of the lines from (i, j) on
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        a[start + i] === b[start + j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    if (i < n && j < m && a[start + i] === b[start + j]) {
      steps.push(["same", start + i, start + j]);
      i += 1;
      j += 1;
    } else if (i < n && (j === m || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      steps.push(["removed", start + i, null]);
      i += 1;
    } else {
      steps.push(["added", null, start + j]);
      j += 1;
    }
  }
}

/** For each changed line, "a" or "b" and its number, the characters [from, to) that changed. */
function changedParts(steps, a, b) {
  const parts = new Map();
  for (let place = 0; place < steps.length; place += 1) {
    const removed = [];
    const added = [];
    while (steps[place]?.[0] === "removed") removed.push(steps[place++][1]);
    while (steps[place]?.[0] === "added") added.push(steps[place++][2]);
    if (removed.length !== added.length) continue; // no telling which line became which
    removed.forEach((from, pair) => {
      const [x, y] = [a[from], b[added[pair]]];
      let head = 0;
      while (head < x.length && head < y.length && x[head] === y[head]) head += 1;
      let tail = 0;
      const room = Math.min(x.length, y.length) - head;
      while (tail < room && x[x.length - 1 - tail] === y[y.length - 1 - tail]) tail += 1;
      if (head + tail < Math.max(x.length, y.length) / 3) return; // another line altogether
      parts.set(`a${from}`, [head, x.length - tail]);
      parts.set(`b${added[pair]}`, [head, y.length - tail]);
    });
  }
  return parts;
}

/** Which steps to draw: changes and some lines around them. Gaps are [from, to) of the others. */
function gaps(steps) {
  const isNear = new Uint8Array(steps.length);
  steps.forEach(([kind], place) => {
    if (kind !== "same") {
      isNear.fill(1, Math.max(0, place - CONTEXT_LINES), place + CONTEXT_LINES + 1);
    }
  });
  const found = [];
  for (let place = 0; place < steps.length; place += 1) {
    if (isNear[place]) continue;
    const start = place;
    while (place < steps.length && !isNear[place]) place += 1;
    if (place - start > 1) found.push([start, place]); // one line is no longer than its fold
  }
  return found;
}

/** The changes from one program to the next as an element. */
function diffBlock(before, after) {
  const a = before.replace(/\n+$/, "").split("\n");
  const b = after.replace(/\n+$/, "").split("\n");
  const steps = lineDiff(a, b);
  if (steps.every(([kind]) => kind === "same")) {
    return el("p", "soft", "The same program as before.");
  }
  const parts = changedParts(steps, a, b);
  const table = el("div", "diff");
  const draw = (from, to) => {
    const drawn = document.createDocumentFragment();
    for (const [kind, i, j] of steps.slice(from, to)) {
      const text = j === null ? a[i] : b[j];
      const part = kind === "same" ? null : (parts.get(j === null ? `a${i}` : `b${j}`) ?? null);
      drawn.append(diffLine(kind, i, j, text, part));
    }
    return drawn;
  };
  const fold = (from, to, label) => {
    const more = button(label, () => more.replaceWith(...drawFrom(from, to)));
    more.className = "gap";
    return more;
  };
  const drawFrom = (from, to) => {
    const end = Math.min(to, from + MAX_DIFF_LINES);
    const rest = end < to ? [fold(end, to, `${to - end} more lines`)] : [];
    return [draw(from, end), ...rest];
  };
  let place = 0;
  for (const [from, to] of gaps(steps)) {
    table.append(...drawFrom(place, from), fold(from, to, `${to - from} equal lines`));
    place = to;
  }
  table.append(...drawFrom(place, steps.length));
  return table;
}

function diffLine(kind, i, j, text, part) {
  const sign = { same: " ", removed: "−", added: "+" }[kind];
  const line = el("span", "diff-text");
  if (part === null) addCode(line, text);
  else {
    addCode(line, text.slice(0, part[0]));
    if (part[1] > part[0]) line.append(el("mark", "", text.slice(part[0], part[1])));
    addCode(line, text.slice(part[1]));
  }
  return el(
    "div",
    `diff-line ${kind}`,
    el("span", "diff-number", i === null ? "" : i + 1),
    el("span", "diff-number", j === null ? "" : j + 1),
    el("span", "diff-sign", sign),
    line,
  );
}

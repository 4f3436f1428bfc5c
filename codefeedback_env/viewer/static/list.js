// The list of episodes: filters, sorting, and only as many rows drawn as can be seen.

const ROW_HEIGHT = 54;
const ROWS_BEYOND = 8;
const NOT_RECORDED = "not recorded";

const FACETS = [
  { key: "result", label: "Result", value: (row) => (row.solved ? "solved" : "not solved") },
  { key: "outcome", label: "Last public verdict", value: (row) => row.outcome },
  { key: "turns", label: "Turns", value: (row) => String(row.turns) },
  { key: "agent", label: "Agent", value: (row) => row.agent },
  { key: "split", label: "Split", value: splitOf },
  { key: "ended_by", label: "Ended by", value: (row) => row.ended_by },
  { key: "file", label: "File", value: (row) => row.file },
];
const ORDERS = {
  "order recorded": (row) => row.number,
  problem: (row) => row.problem,
  reward: (row) => row.reward ?? -Infinity,
  turns: (row) => row.turns,
};

function splitOf(row) {
  const dataset = row.dataset || "unnamed dataset";
  return !row.split || row.split === row.dataset ? dataset : `${dataset}, ${row.split}`;
}

const collator = new Intl.Collator("en", { numeric: true });

function compare(a, b) {
  if (typeof a === "string") return collator.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function badge(verdict) {
  const known = /^[a-z ]+$/.test(verdict) ? verdict.replaceAll(" ", "-") : "other";
  return el("span", `badge verdict-${known}`, verdict);
}

/** What an episode came to: the public tests can be passed and hidden ones not. */
function outcomeBadge(row) {
  if (row.ended_by === "sandbox failure") return el("span", "badge", row.ended_by);
  if (row.solved || row.outcome !== "accepted") return badge(row.outcome);
  return el("span", "badge verdict-wrong-answer", "hidden tests failed");
}

function formatReward(reward) {
  if (typeof reward !== "number") return "no number";
  const text = String(Math.round(Math.abs(reward) * 1e4) / 1e4);
  return text === "0" ? text : (reward < 0 ? "−" : "+") + text;
}

function count(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

class EpisodeList {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.rows = [];
    this.shown = [];
    this.drawn = new Map(); // row -> its element
    this.nothing = el("p", "soft nothing", "No episode matches.");
    this.chosen = new Map();
    this.openKey = null;
    this.isDescending = false;
    this.box = document.getElementById("list");
    this.inner = document.getElementById("rows");
    this.search = document.getElementById("search");
    this.sort = document.getElementById("sort");
    this.direction = document.getElementById("direction");
    this.clear = document.getElementById("clear");
    this.selects = new Map(FACETS.map((facet) => [facet.key, this.makeSelect(facet)]));
    for (const name of Object.keys(ORDERS)) this.sort.append(new Option(name, name));
    this.listen();
  }

  makeSelect(facet) {
    const select = document.createElement("select");
    select.id = `facet-${facet.key}`;
    select.addEventListener("change", () => {
      if (select.value) this.chosen.set(facet.key, select.value.slice(1));
      else this.chosen.delete(facet.key);
      this.update();
    });
    document.getElementById("facets").append(el("label", "facet", facet.label, select));
    return select;
  }

  listen() {
    document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
    this.search.addEventListener("input", () => this.update());
    this.sort.addEventListener("change", () => this.update());
    this.direction.addEventListener("click", () => {
      this.isDescending = !this.isDescending;
      this.update();
    });
    this.clear.addEventListener("click", () => {
      this.search.value = "";
      this.chosen.clear();
      this.update();
    });
    let isDue = false;
    const redraw = () => {
      if (isDue) return;
      isDue = true;
      requestAnimationFrame(() => {
        isDue = false;
        this.draw();
      });
    };
    this.box.addEventListener("scroll", redraw, { passive: true });
    new ResizeObserver(redraw).observe(this.box);
    this.inner.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row !== null) this.onOpen(this.shown[Number(row.dataset.place)]);
    });
  }

  setRows(rows) {
    this.rows = rows;
    this.update(true);
  }

  /** Filter and sort again, count what each choice would give, and draw. */
  update(keepsScroll = false) {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const active = FACETS.filter((facet) => this.chosen.has(facet.key));
    const counts = new Map(FACETS.map((facet) => [facet.key, new Map()]));
    this.shown = [];
    for (const row of this.rows) {
      const problem = row.problem.toLowerCase();
      if (!words.every((word) => problem.includes(word))) continue;
      const failed = active.filter((facet) => facet.value(row) !== this.chosen.get(facet.key));
      if (failed.length === 0) this.shown.push(row);
      // A choice is counted among the rows that all other filters leave.
      for (const facet of FACETS) {
        if (failed.length > 1 || (failed.length === 1 && failed[0] !== facet)) continue;
        const value = facet.value(row);
        counts.get(facet.key).set(value, (counts.get(facet.key).get(value) ?? 0) + 1);
      }
    }
    const order = ORDERS[this.sort.value];
    const sign = this.isDescending ? -1 : 1;
    this.shown.sort((a, b) => sign * compare(order(a), order(b)) || a.number - b.number);
    for (const facet of FACETS) this.fill(facet, counts.get(facet.key));
    this.direction.textContent = this.isDescending ? "↓" : "↑";
    this.direction.title = this.isDescending ? "largest first" : "smallest first";
    this.clear.hidden = words.length === 0 && active.length === 0;
    const numSolved = this.shown.filter((row) => row.solved).length;
    const isAll = this.shown.length === this.rows.length;
    document.getElementById("counts").textContent =
      (isAll ? "" : `${this.shown.length.toLocaleString("en")} of `) +
      `${count(this.rows.length, "episode")}, ${numSolved.toLocaleString("en")} solved`;
    this.inner.style.height = `${this.shown.length * ROW_HEIGHT}px`;
    if (!keepsScroll) this.box.scrollTop = 0;
    this.draw();
  }

  fill(facet, counts) {
    const select = this.selects.get(facet.key);
    const chosen = this.chosen.get(facet.key);
    if (chosen !== undefined && !counts.has(chosen)) counts.set(chosen, 0);
    const values = [...counts.keys()].sort(compare);
    const total = [...counts.values()].reduce((sum, number) => sum + number, 0);
    const all = `all (${total.toLocaleString("en")})`;
    // "=" stands before a value, so that one that is empty is not taken for "all".
    const options = values.map((value) => {
      const shown = value.replace(HIDDEN, nameOf);
      return new Option(`${shown} (${counts.get(value).toLocaleString("en")})`, `=${value}`);
    });
    select.replaceChildren(new Option(all, ""), ...options);
    select.value = chosen === undefined ? "" : `=${chosen}`;
    select.parentElement.hidden = values.length < 2 && chosen === undefined;
    select.parentElement.classList.toggle("active", chosen !== undefined);
  }

  draw() {
    const top = this.box.scrollTop;
    const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - ROWS_BEYOND);
    const last = Math.ceil((top + this.box.clientHeight) / ROW_HEIGHT) + ROWS_BEYOND;
    const rows = this.shown.slice(first, last);
    this.keepOnly(new Set(rows));
    let next = this.inner.firstElementChild;
    for (const [i, row] of rows.entries()) {
      if (!this.drawn.has(row)) this.drawn.set(row, this.drawRow(row));
      const element = this.drawn.get(row);
      this.place(element, row, first + i);
      if (element === next) next = next.nextElementSibling;
      else this.inner.insertBefore(element, next);
    }
    if (rows.length === 0) this.inner.append(this.nothing);
    const isOpenDrawn = document.getElementById("open-row") !== null;
    if (isOpenDrawn) this.box.setAttribute("aria-activedescendant", "open-row");
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** Rows that stay keep their elements, or a drawing between press and release would eat a click. */
  keepOnly(rows) {
    this.nothing.remove();
    for (const [row, element] of this.drawn) {
      if (rows.has(row)) continue;
      element.remove();
      this.drawn.delete(row);
    }
  }

  drawRow(row) {
    const sign = el("span", row.solved ? "sign solved" : "sign", row.solved ? "✓" : "✗");
    sign.title = row.solved ? "solved" : "not solved";
    const element = el(
      "div",
      "row",
      sign,
      el("span", "row-problem", row.problem),
      el("span", row.reward > 0 ? "row-reward good" : "row-reward", formatReward(row.reward)),
      el(
        "span",
        "row-facts",
        outcomeBadge(row),
        el("span", "row-turns", count(row.turns, "turn")),
        el("span", "row-agent", row.agent === NOT_RECORDED ? "" : row.agent),
      ),
    );
    element.setAttribute("role", "option");
    return element;
  }

  place(element, row, place) {
    element.dataset.place = place;
    element.setAttribute("aria-setsize", this.shown.length);
    element.setAttribute("aria-posinset", place + 1);
    element.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    const isOpen = row.key === this.openKey;
    element.setAttribute("aria-selected", String(isOpen));
    if (isOpen) element.id = "open-row";
    else element.removeAttribute("id");
  }

  /** Mark a row as open and bring it into view. */
  mark(row) {
    this.openKey = row.key;
    const place = this.shown.indexOf(row);
    if (place >= 0) {
      const top = place * ROW_HEIGHT;
      const height = this.box.clientHeight;
      const above = this.box.scrollTop - top;
      const below = top + ROW_HEIGHT - this.box.scrollTop - height;
      if (Math.max(above, below) > ROW_HEIGHT) this.box.scrollTop = top - height / 2;
      else if (above > 0) this.box.scrollTop = top;
      else if (below > 0) this.box.scrollTop = top + ROW_HEIGHT - height;
    }
    this.draw();
  }

  /** The row so many places after the open one, null at the ends. */
  neighbour(distance) {
    const place = this.shown.findIndex((row) => row.key === this.openKey);
    if (place < 0) return this.shown[0] ?? null;
    return this.shown[place + distance] ?? null;
  }
}

// Where episodes come from: a server that is asked for each, or this page itself.

/** The value that the page holds under a name. */
function embedded(name) {
  return JSON.parse(document.getElementById(name).textContent);
}

/** Rows as objects, with the agent and the link that their source gives them. */
function readRows(overview) {
  return overview.rows.map((values, place) => {
    const row = Object.fromEntries(overview.fields.map((field, i) => [field, values[i]]));
    const source = overview.sources[row.source];
    row.number = overview.first + place;
    row.agent = source.agent;
    row.file = source.label;
    row.key = `${source.label}:${row.line}`;
    return row;
  });
}

async function fetchJson(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error("The server does not answer; is codefeedback view still running?");
  }
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

/** Episodes fetched one at a time. */
class ServedStore {
  isLive = true;

  async load() {
    this.take(await fetchJson("overview"), []);
  }

  /** Ask for what is new; true if there was something. */
  async refresh() {
    const [before, generation] = [this.rows, this.generation];
    const address = `overview?first=${before.length}&generation=${generation}`;
    const overview = await fetchJson(address);
    const notes = JSON.stringify(this.notes);
    this.take(overview, overview.first ? before : []);
    const isSame = generation === this.generation && this.rows.length === before.length;
    return !isSame || notes !== JSON.stringify(this.notes);
  }

  take(overview, before) {
    this.generation = overview.generation;
    this.sources = overview.sources;
    this.notes = overview.notes;
    this.rows = [...before, ...readRows(overview)];
  }

  episode(row) {
    return fetchJson(`episodes/${row.number}`);
  }
}

/** Episodes held in the page, in parts that are unpacked when one of theirs is opened. */
class EmbeddedStore {
  isLive = false;

  constructor(isPacked) {
    this.isPacked = isPacked;
    this.parts = new Map();
  }

  async load() {
    const overview = embedded("overview");
    this.sources = overview.sources;
    this.notes = overview.notes;
    this.rows = readRows(overview);
    this.firstRows = overview.chunks;
  }

  async episode(row) {
    const part = this.firstRows.findLastIndex((first) => first <= row.number);
    const records = await this.part(part);
    return records[row.number - this.firstRows[part]];
  }

  async part(number) {
    if (!this.parts.has(number)) {
      const value = embedded(`chunk-${number}`);
      if (this.parts.size >= 8) this.parts.delete(this.parts.keys().next().value);
      this.parts.set(number, this.isPacked ? await unpacked(value) : value);
    }
    return this.parts.get(number);
  }
}

async function unpacked(base64) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error(
      "This browser cannot unpack the episodes in this page (it lacks DecompressionStream). " +
        "Use Chrome or Edge 80, Firefox 113, Safari 16.4 or newer; or serve the records with " +
        "codefeedback view DIR.",
    );
  }
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function openStore() {
  const mode = embedded("mode");
  return mode === "served" ? new ServedStore() : new EmbeddedStore(mode === "packed");
}

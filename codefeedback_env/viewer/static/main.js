// Puts list and episode together: links, keys, theme, and asking the server for what is new.

const FOLLOW_MS = 3000;
const THEMES = ["auto", "light", "dark"];

const store = openStore();
const pane = document.getElementById("episode");
let opening = 0;

function link(row) {
  return `#${encodeURIComponent(row.file)}:${row.line}`;
}

function linkedKey() {
  const [, file, line] = /^#(.+):(\d+)$/.exec(location.hash) ?? [];
  if (file === undefined) return null;
  try {
    return `${decodeURIComponent(file)}:${line}`;
  } catch {
    return null;
  }
}

function showMessage(title, text) {
  pane.replaceChildren(el("div", "message", el("h2", "", title), el("p", "", text)));
}

/** Show an episode; of several asked for in a hurry the last one stays. */
async function open(row) {
  opening += 1;
  const mine = opening;
  list.mark(row);
  if (location.hash !== link(row)) history.replaceState(null, "", link(row));
  try {
    const episode = await store.episode(row);
    if (mine !== opening) return;
    pane.replaceChildren(episodeView(row, episode, store.sources[row.source]));
    pane.scrollTop = 0;
    document.title = `${row.problem.replace(HIDDEN, nameOf)}: episode`;
  } catch (error) {
    if (mine === opening) showMessage("This episode cannot be shown", error.message);
  }
}

const list = new EpisodeList(open);

function openLinked() {
  const key = linkedKey();
  const row = store.rows.find((candidate) => candidate.key === key);
  if (row !== undefined) open(row);
  else if (key !== null) showMessage("There is no such episode", `The link names ${key}.`);
  else if (list.shown.length > 0) open(list.shown[0]);
}

function showNotes(texts) {
  document.getElementById("notes").replaceChildren(...texts.map((text) => el("p", "note", text)));
}

let isRefreshing = false;

async function refresh() {
  if (isRefreshing) return;
  isRefreshing = true;
  const generation = store.generation;
  try {
    const hasChanged = await store.refresh();
    showNotes(store.notes);
    if (hasChanged) list.setRows(store.rows);
    if (generation !== store.generation) openLinked();
  } catch (error) {
    document.getElementById("follow").checked = false;
    showNotes([...store.notes, error.message]);
  } finally {
    isRefreshing = false;
  }
}

function step(distance) {
  const row = list.neighbour(distance);
  if (row !== null) open(row);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input[type=search], select");
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (isTyping) return;
  const inList = event.target.id === "list";
  if (event.key === "j" || (inList && event.key === "ArrowDown")) step(1);
  else if (event.key === "k" || (inList && event.key === "ArrowUp")) step(-1);
  else if (event.key === "/") list.search.focus();
  else return;
  event.preventDefault();
});

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // A page opened as a file may have no storage; the theme then lasts as long as the page.
  }
}

function storedTheme() {
  try {
    const theme = localStorage.getItem("theme");
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

async function start() {
  setTheme(storedTheme());
  document.getElementById("theme").addEventListener("click", () => {
    const next = THEMES.indexOf(document.documentElement.dataset.theme) + 1;
    setTheme(THEMES[next % THEMES.length]);
  });
  window.addEventListener("hashchange", openLinked);
  try {
    await store.load();
  } catch (error) {
    showMessage("The episodes cannot be read", error.message);
    return;
  }
  if (store.isLive) {
    for (const id of ["refresh", "follow-label"]) document.getElementById(id).hidden = false;
    document.getElementById("refresh").addEventListener("click", refresh);
    setInterval(() => document.getElementById("follow").checked && refresh(), FOLLOW_MS);
  }
  showNotes(store.notes);
  list.setRows(store.rows);
  openLinked();
}

start();

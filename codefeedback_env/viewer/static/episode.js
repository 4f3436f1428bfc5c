// One episode: the prompt, then each turn with reply, changes, tests and feedback.

const BUNDLED = "bundled";
const PROMPT_LINES = 12;
const FENCE = /(?<!`)(`{3,})([\w+#.-]*)([^\n`]*)/g;

/** A reply as [kind, text] pieces, kind "text" or "code". */
function replyPieces(reply) {
  const pieces = [];
  let place = 0;
  FENCE.lastIndex = 0;
  for (let match = FENCE.exec(reply); match !== null; match = FENCE.exec(reply)) {
    const [opening, fence, tag, rest] = match;
    if (match.index > place) pieces.push(["text", reply.slice(place, match.index)]);
    const start = match.index + opening.length - (rest.trim() ? rest.length : 0);
    const closing = reply.indexOf(fence, start);
    const end = closing < 0 ? reply.length : closing;
    pieces.push(["code", reply.slice(start, end).replace(/^[ \t]*\n/, ""), tag]);
    place = end;
    while (closing >= 0 && reply[place] === "`") place += 1;
    FENCE.lastIndex = place;
  }
  if (place < reply.length) pieces.push(["text", reply.slice(place)]);
  return pieces.filter(([kind, text]) => kind === "code" || text.trim());
}

function section(title, ...children) {
  return el("section", "part", el("h4", "", title), ...children);
}

function programOf(turn) {
  return turn.submission === null ? null : String(turn.submission.source_code);
}

/** What a turn came to, in a word. */
function outcomeOf(turn) {
  if (turn.submission === null) return "no code";
  const results = turn.public_report?.results ?? [];
  const failed = results.find((result) => result.verdict !== "accepted");
  return results.length === 0 ? "not run" : (failed ?? results[0]).verdict;
}

/**
 * Inputs and expected outputs of public tests by index. The record has none but those that a
 * feedback message shows, so they are read from it, and only where they can be told for sure.
 */
function shownTests(episode) {
  const tests = new Map();
  if (episode.settings.feedback !== "public") return tests;
  for (const turn of episode.turns) {
    let place = 0;
    for (const result of turn.public_report?.results ?? []) {
      if (result.verdict !== "wrong answer") continue;
      const [before, between] = ["- input `", "` failed:\nExpected output `"];
      const after = `\` but got \`${result.stdout}\``;
      const start = turn.feedback.indexOf(before, place);
      const middle = turn.feedback.indexOf(between, start);
      const end = turn.feedback.indexOf(after, middle);
      if (start < 0 || middle < 0 || end < 0) break;
      const stdin = turn.feedback.slice(start + before.length, middle);
      const expected = turn.feedback.slice(middle + between.length, end);
      place = end + after.length;
      // A test that failed in another way stands before this one, or the texts hold the marks.
      if (stdin.includes("` failed:\n") || expected.includes("` but got `")) continue;
      tests.set(result.index, { stdin, expected });
    }
  }
  return tests;
}

function replySection(turn) {
  const program = programOf(turn);
  const pieces = replyPieces(String(turn.reply));
  const isJudged = ([kind, text]) => kind === "code" && text.trim() === program?.trim();
  const judged = pieces.find(isJudged);
  const children = pieces.map((piece) => {
    const [kind, text, tag] = piece;
    if (kind === "text") return prose(text.replace(/^\n+|\s+$/g, ""));
    const name = piece === judged ? "judged" : "not judged";
    const label = el("p", "block-label", [tag, name].filter(Boolean).join(", "));
    return el("div", "block", label, codeBlock(text));
  });
  if (pieces.length === 0) children.push(el("p", "soft", "An empty reply."));
  if (program !== null && judged === undefined) {
    children.push(details("Program as it was judged", pieces.length === 0, codeBlock(program)));
  }
  return section("Reply", ...children);
}

function changesSection(turn, earlier) {
  const [program, before] = [programOf(turn), earlier && programOf(earlier.turn)];
  if (program === null || !before) return null;
  return section(`Changes since turn ${earlier.number}`, diffBlock(before, program));
}

function milliseconds(seconds) {
  return typeof seconds === "number" ? `${(seconds * 1000).toPrecision(3)} ms` : "unknown";
}

function howItEnded(result) {
  if (result.signal !== null) return `ended by signal ${result.signal}`;
  return result.exit_code === null ? null : `exit status ${result.exit_code}`;
}

function testDetails(result, shown) {
  const facts = [
    `${milliseconds(result.cpu_time_s)} CPU`,
    `${milliseconds(result.wall_time_s)} in all`,
    `${Number(result.peak_memory_mib).toFixed(1)} MiB`,
    howItEnded(result),
  ];
  const outputs = [
    ["Input", shown?.stdin],
    ["Expected output", shown?.expected],
    ["Output", result.stdout],
    ["Error output", result.stderr === "" ? undefined : result.stderr],
  ];
  const columns = outputs
    .filter(([, text]) => text !== undefined)
    .map(([title, text]) => el("div", "stream", el("h5", "", title), prose(String(text))));
  const summary = el(
    "span",
    "test-summary",
    el("span", "", `Test ${Number(result.index) + 1}`),
    badge(String(result.verdict)),
    el("span", "soft", facts.filter(Boolean).join(" · ")),
  );
  const test = details("", result.verdict !== "accepted", el("div", "streams", ...columns));
  test.firstChild.append(summary);
  return test;
}

const MAX_TESTS = 100;

function testsSection(turn, shown) {
  const report = turn.public_report;
  if (report === null) {
    return turn.submission === null ? null : section("Tests", el("p", "soft", "None was run."));
  }
  const passed = report.results.filter((result) => result.verdict === "accepted").length;
  const left = report.num_tests - report.results.length;
  const title =
    `Tests (${report.pool}): ${passed} of ${report.num_tests} passed` +
    (left > 0 ? `, ${left} not run` : "");
  const draw = (results) => results.map((result) => testDetails(result, shown.get(result.index)));
  const tests = draw(report.results.slice(0, MAX_TESTS));
  if (report.results.length > MAX_TESTS) {
    const rest = report.results.slice(MAX_TESTS);
    const more = button(`Show ${count(rest.length, "more test")}`, () =>
      more.replaceWith(...draw(rest)),
    );
    tests.push(more);
  }
  return section(title, ...tests);
}

function turnCard(episode, number, shown) {
  const turn = episode.turns[number];
  const isLast = number === episode.turns.length - 1;
  const earlier = episode.turns
    .slice(0, number)
    .map((other, place) => ({ turn: other, number: place + 1 }))
    .findLast((other) => other.turn.submission !== null);
  const head = el(
    "header",
    "turn-head",
    el("h3", "", `Turn ${number + 1} of ${episode.turns.length}`),
    badge(outcomeOf(turn)),
    el("span", "reward", `reward ${formatReward(turn.reward)}`),
  );
  const sections = [
    el("div", "sides", replySection(turn), changesSection(turn, earlier)),
    testsSection(turn, shown),
  ];
  if (turn.feedback !== "" || !isLast) sections.push(section("Feedback", prose(turn.feedback)));
  return el("section", "turn", head, ...sections);
}

/** Names and values, nested objects as tables of their own. */
function factsTable(facts) {
  const table = el("table", "facts");
  for (const [name, value] of Object.entries(facts)) {
    const isNested = value !== null && typeof value === "object";
    const cell = el("td", "");
    if (isNested && !Array.isArray(value)) cell.append(factsTable(value));
    else addText(cell, isNested || value === null ? JSON.stringify(value) : String(value));
    table.append(el("tr", "", el("th", "", name), cell));
  }
  return table;
}

function episodeHead(row, episode) {
  const isDropped = row.ended_by === "sandbox failure";
  const solved = el("span", row.solved ? "badge verdict-accepted" : "badge verdict-wrong-answer");
  solved.append(row.solved ? "solved: all tests passed" : "not solved");
  if (isDropped) solved.replaceChildren("not counted: the sandbox failed");
  const facts = [
    `${count(row.turns, "turn")}, ended by ${row.ended_by}`,
    `reward ${formatReward(row.reward)}`,
    row.agent,
    splitOf(row),
    row.seed === null ? "no seed" : `seed ${row.seed}`,
    `${row.file}, line ${row.line}`,
  ];
  const head = el(
    "header",
    "episode-head",
    el("h2", "", row.problem),
    el("p", "", solved, el("span", "soft", facts.join(" · "))),
  );
  if (episode.settings.split === BUNDLED || episode.settings.dataset === BUNDLED) {
    const text = "bundled: one of the package's own problems, not a result on CodeContests";
    head.append(el("p", "", el("span", "badge bundled", text)));
  }
  return head;
}

/** The whole episode as an element. */
function episodeView(row, episode, source) {
  const shown = shownTests(episode);
  const turns = episode.turns.map((_, number) => turnCard(episode, number, shown));
  const settings = { seed: episode.seed, ...episode.settings, "record version": episode.version };
  const view = el(
    "div",
    "episode",
    episodeHead(row, episode),
    details("Prompt", true, prose(String(episode.prompt), PROMPT_LINES)),
    ...turns,
    details("How it was judged", false, factsTable(settings)),
  );
  if (Object.keys(source.details).length > 0) {
    view.append(details("The run it belongs to", false, factsTable(source.details)));
  }
  return view;
}

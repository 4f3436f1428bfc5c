// Colours for Python. It need not be exact: what it takes for code is shown as it is either way.

const KEYWORDS = new Set(
  ("False None True and as assert async await break case class continue def del elif else except " +
    "finally for from global if import in is lambda match nonlocal not or pass raise return try " +
    "while with yield").split(" "),
);
const BUILTINS = new Set(
  ("abs all any bin bool bytes chr dict divmod enumerate eval exec exit filter float format " +
    "frozenset hash hex input int isinstance iter len list map max min next object open ord pow " +
    "print range repr reversed round set slice sorted str sum super tuple type zip").split(" "),
);
const TOKEN = new RegExp(
  [
    "(?<comment>#[^\\n]*)",
    "(?<string>(?:\\b[rRbBuUfF]{1,2})?(?:" +
      '"""(?:\\\\[^]|[^\\\\])*?(?:"""|(?![^]))|' +
      "'''(?:\\\\[^]|[^\\\\])*?(?:'''|(?![^]))|" +
      '"(?:\\\\[^]|[^"\\\\\\n])*"?|' +
      "'(?:\\\\[^]|[^'\\\\\\n])*'?))",
    "(?<number>\\b(?:0[xXbBoO][\\da-fA-F_]+|\\d[\\d_]*(?:\\.[\\d_]*)?(?:[eE][+-]?\\d+)?)[jJ]?)",
    "(?<decorator>^[ \\t]*@[\\w.]+)",
    "(?<word>[\\p{L}_][\\p{L}\\p{N}_]*)",
  ].join("|"),
  "gmu",
);
const MAX_HIGHLIGHTED = 200_000;

function kindOf(token, previousWord) {
  if (token.word === undefined) {
    return ["comment", "string", "number", "decorator"].find((kind) => token[kind] !== undefined);
  }
  if (KEYWORDS.has(token.word)) return "keyword";
  if (previousWord === "def" || previousWord === "class") return "definition";
  return BUILTINS.has(token.word) ? "builtin" : null;
}

/** The code as [kind, text] pairs, kind null for what has no colour; together they are the code. */
function tokens(code) {
  const pairs = [];
  let place = 0;
  let previousWord = null;
  for (const match of code.matchAll(TOKEN)) {
    if (match.index > place) pairs.push([null, code.slice(place, match.index)]);
    pairs.push([kindOf(match.groups, previousWord), match[0]]);
    previousWord = match.groups.word ?? null;
    place = match.index + match[0].length;
  }
  if (place < code.length) pairs.push([null, code.slice(place)]);
  return pairs;
}

/** Append code to an element with its colours. */
function addCode(parent, code) {
  if (code.length > MAX_HIGHLIGHTED) {
    addText(parent, code);
    return;
  }
  for (const [kind, text] of tokens(code)) {
    if (kind === null) addText(parent, text);
    else parent.append(el("span", `code-${kind}`, text));
  }
}

/** A program with the numbers of its lines, as tracebacks name them. */
function codeBlock(code) {
  return foldable(code.replace(/\n+$/, ""), (shown) => {
    const numLines = shown.split("\n").length;
    const numbers = Array.from({ length: numLines }, (_, line) => line + 1).join("\n");
    const gutter = el("pre", "gutter", numbers);
    gutter.setAttribute("aria-hidden", "true");
    const block = el("pre", "code");
    addCode(block, shown);
    return el("div", "program", gutter, block);
  });
}

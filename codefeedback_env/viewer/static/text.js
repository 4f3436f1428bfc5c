// Text of unknown origin becomes text nodes here, and nothing else: no HTML is ever parsed.

// Characters that change how their neighbours look, or cannot be seen: controls but tab and line
// feed, marks of direction, zero-width and other formatting characters, and lone surrogates.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}\ud800-\udfff]/gu;
const NAMES = { 0x0: "NUL", 0x7: "BEL", 0x8: "BS", 0xd: "CR", 0x1b: "ESC", 0x7f: "DEL" };

/** The name of a hidden character as it is shown in its place. */
function nameOf(char) {
  const code = char.codePointAt(0);
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Append text to an element; hidden characters become visible marks. */
function addText(parent, text) {
  let place = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > place) parent.append(text.slice(place, match.index));
    const mark = document.createElement("span");
    mark.className = "hidden-char";
    mark.textContent = nameOf(match[0]);
    mark.title = "a character that would not be seen";
    parent.append(mark);
    place = match.index + match[0].length;
  }
  if (place < text.length) parent.append(text.slice(place));
}

/** A new element; children are elements, or strings that are shown as they are. */
function el(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  for (const child of children) {
    if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined) addText(element, String(child));
  }
  return element;
}

function button(label, action) {
  const element = el("button", "", label);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

function details(summary, isOpen, ...children) {
  const element = el("details", "", el("summary", "", summary), ...children);
  element.open = isOpen;
  return element;
}

const FOLDED_LINES = 60;
const FOLDED_CHARS = 8_000;
const STEP_CHARS = 200_000;

/** Where to cut a text that is too long: at most so many lines and characters. */
function cutAt(text, maxLines, maxChars) {
  let end = -1;
  for (let line = 0; line < maxLines; line += 1) {
    end = text.indexOf("\n", end + 1);
    if (end < 0 || end > maxChars) break;
  }
  if (end >= 0 && end <= maxChars) return end + 1 < text.length ? end : text.length;
  if (text.length <= maxChars) return text.length;
  const code = text.charCodeAt(maxChars);
  return code >= 0xdc00 && code <= 0xdfff ? maxChars - 1 : maxChars; // no pair is torn apart
}

/** A text drawn by `draw`; of a long one only the head, until more is asked for. */
function foldable(text, draw, maxLines = FOLDED_LINES) {
  const box = el("div", "foldable");
  const show = (end) => {
    box.replaceChildren(draw(text.slice(0, end)));
    if (end >= text.length) return;
    const numLines = text.split("\n").length.toLocaleString("en");
    const rest = `${numLines} lines, ${text.length.toLocaleString("en")} characters`;
    const more = button(`Show more (${rest})`, () =>
      show(cutAt(text, Infinity, Math.max(end, FOLDED_CHARS) + STEP_CHARS)),
    );
    more.className = "more";
    box.append(more);
  };
  show(cutAt(text, maxLines, FOLDED_CHARS));
  return box;
}

/** Words, as a message or an output: lines wrap. */
function prose(text, maxLines = FOLDED_LINES) {
  if (text === "") return el("p", "soft", "empty");
  return foldable(text, (shown) => el("pre", "prose", shown), maxLines);
}

"""The page as HTML: its parts put together, and records put into it."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from codefeedback_env.viewer.index import EpisodeIndex

SCRIPTS = ("text.js", "highlight.js", "diff.js", "store.js", "list.js", "episode.js", "main.js")
"""In the order in which they define names; together they are one script."""

MAX_PLAIN_BYTES = 2 << 20
"""Records larger than this together are compressed in a page that holds them."""

CHUNK_BYTES = 1 << 20
"""Records are put into the page in parts of about this size; only those looked at are unpacked."""

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def escaped_json(value: Any) -> str:
    """JSON that may stand in a ``script`` element: no character of it can end the element.

    Lone surrogates, which no encoding can write, stay escaped, as everything outside ASCII.
    """
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


def content_security_policy(connect: str) -> str:
    """Only the page's own script and style run; ``connect`` says what it may fetch."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_sha256(_script())}'",
            f"style-src '{_sha256(_style())}'",
            "img-src data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def served_page() -> str:
    """The page that fetches records from the server it came from."""
    return "".join(_page(content_security_policy("'self'"), iter([_data("mode", "served")])))


def whole_page(index: EpisodeIndex, max_plain_bytes: int = MAX_PLAIN_BYTES) -> Iterator[str]:
    """The page with all records in it, in pieces to be written one after the other."""
    is_packed = index.num_bytes > max_plain_bytes
    return _page(content_security_policy("'none'"), _embedded(index, is_packed))


def _embedded(index: EpisodeIndex, is_packed: bool) -> Iterator[str]:
    """The mode, each part of the records, then the overview with the first row of each part."""
    yield _data("mode", "packed" if is_packed else "plain")
    chunk: list[str] = []
    first_rows: list[int] = []
    num_chars = 0
    num_rows = len(index.rows)
    for number in range(num_rows):
        if not chunk:
            first_rows.append(number)
        chunk.append(index.record(number))
        num_chars += len(chunk[-1])
        if num_chars >= CHUNK_BYTES or number == num_rows - 1:
            yield _chunk(len(first_rows) - 1, chunk, is_packed)
            chunk, num_chars = [], 0
    yield _data("overview", {**index.overview(), "chunks": first_rows})


def _chunk(number: int, records: list[str], is_packed: bool) -> str:
    text = f"[{','.join(records)}]"
    if is_packed:
        packed = gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0)
        text = json.dumps(base64.b64encode(packed).decode("ascii"))
    return _data_element(f"chunk-{number}", text.translate(_ESCAPES))


def _data(name: str, value: Any) -> str:
    return _data_element(name, escaped_json(value))


def _data_element(name: str, json_text: str) -> str:
    return f'<script type="application/json" id="{name}">{json_text}</script>\n'


def _page(policy: str, data: Iterator[str]) -> Iterator[str]:
    parts = {"policy": policy, "style": _style(), "script": _script()}
    place = 0
    template = _static("page.html")
    for match in _PLACEHOLDER.finditer(template):
        yield template[place : match.start()]
        place = match.end()
        if match[1] == "data":
            yield from data
        else:
            yield parts[match[1]]
    yield template[place:]


@cache
def _static(name: str) -> str:
    return files("codefeedback_env.viewer").joinpath("static", name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return "\n" + _static("page.css")


@cache
def _script() -> str:
    """All scripts as one function, so that their names are theirs alone."""
    return '\n"use strict";\n(() => {\n' + "\n".join(map(_static, SCRIPTS)) + "})();\n"


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()

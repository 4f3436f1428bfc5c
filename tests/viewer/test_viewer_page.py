import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from records import RIGHT, episode, turn, various, write

from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.page import escaped_json, served_page, whole_page

HOSTILE = "</script><script>bad()</script><!-- <img src=x onerror=bad()> & \u2028\u2029 \ud800"
STATIC = Path(__file__).parents[2] / "codefeedback_env" / "viewer" / "static"


class Elements(HTMLParser):
    """The start tags of a page, and what stands in its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._is_inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.texts.append((tag, ""))
        self._is_inside = True

    def handle_endtag(self, tag):
        self._is_inside = False

    def handle_data(self, data):
        if self._is_inside:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)

    def content(self, wanted: str) -> list[str]:
        return [text for tag, text in self.texts if tag == wanted]

    def data(self) -> dict[str, str]:
        pairs = zip(self.tags, self.texts, strict=True)
        return {
            attributes["id"]: text
            for (tag, attributes), (_, text) in pairs
            if tag == "script" and "id" in attributes
        }


def page_of(records: Path, *episodes, **options) -> str:
    index = EpisodeIndex([write(records / "episodes.jsonl", episodes)])
    return "".join(whole_page(index, **options))


def test_escaped_json_holds_no_character_that_could_end_its_element():
    text = escaped_json({HOSTILE: [HOSTILE]})

    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    assert json.loads(text) == {HOSTILE: [HOSTILE]}


def test_hostile_text_everywhere_adds_no_element_to_the_page(records: Path):
    hostile = episode(
        HOSTILE,
        turn(HOSTILE, reply=HOSTILE, feedback=HOSTILE),
        prompt=HOSTILE,
        settings={"split": HOSTILE, HOSTILE: HOSTILE},
    )
    harmless = Elements(page_of(records / "harmless", episode("a", turn("b"))))
    elements = Elements(page_of(records / HOSTILE.replace("/", "").rstrip("\ud800"), hostile))

    assert [tag for tag, _ in elements.tags] == [tag for tag, _ in harmless.tags]
    (record,) = json.loads(elements.data()["chunk-0"])
    assert record["turns"][0]["reply"] == HOSTILE


def test_the_policy_allows_the_scripts_and_styles_of_the_page_and_nothing_else(records: Path):
    elements = Elements(page_of(records, episode()))
    policy = next(a["content"] for t, a in elements.tags if t == "meta" and "http-equiv" in a)
    script = next(
        text
        for (tag, attributes), (_, text) in zip(elements.tags, elements.texts, strict=True)
        if tag == "script" and not attributes
    )

    def hashed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    rules = dict(rule.split(" ", maxsplit=1) for rule in policy.split("; "))
    (style,) = elements.content("style")
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == hashed(script)
    assert rules["style-src"] == hashed(style)
    assert rules["connect-src"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy


def test_nothing_in_the_page_is_loaded_from_elsewhere_or_runs_inline(records: Path):
    for page in (served_page(), page_of(records, episode())):
        for _, attributes in Elements(page).tags:
            assert not [name for name in attributes if name.startswith("on")]
            assert "src" not in attributes
            assert attributes.get("href", "data:,") == "data:,"


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_scripts_never_parse_html_or_code(path: Path):
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    )
    assert not re.search(forbidden, path.read_text("utf-8"))


def test_every_static_file_is_in_the_page():
    page = served_page()
    for path in STATIC.iterdir():
        text = path.read_text("utf-8")
        assert path.suffix == ".html" or text in page, path.name


def test_small_records_are_embedded_as_they_are(records: Path):
    episodes = various(3)
    data = Elements(page_of(records, *episodes)).data()

    assert json.loads(data["mode"]) == "plain"
    assert json.loads(data["chunk-0"]) == [json.loads(e.to_json()) for e in episodes]
    assert json.loads(data["overview"])["chunks"] == [0]


def test_large_records_are_compressed_in_parts_that_can_be_unpacked_alone(
    records: Path, monkeypatch
):
    episodes = various(9)
    size = len(episodes[0].to_json())
    monkeypatch.setattr("codefeedback_env.viewer.page.CHUNK_BYTES", 2 * size)
    data = Elements(page_of(records, *episodes, max_plain_bytes=size)).data()

    assert json.loads(data["mode"]) == "packed"
    first_rows = json.loads(data["overview"])["chunks"]
    parts = [
        json.loads(gzip.decompress(base64.b64decode(json.loads(data[f"chunk-{number}"]))))
        for number in range(len(first_rows))
    ]
    assert len(parts) > 2
    assert first_rows == [sum(map(len, parts[:number])) for number in range(len(parts))]
    assert [r for part in parts for r in part] == [json.loads(e.to_json()) for e in episodes]


def test_the_page_needs_no_encoding_for_what_it_holds(records: Path):
    page = page_of(records, episode("\ud800", turn(RIGHT, reply="\udfff")))

    assert page.encode("utf-8")

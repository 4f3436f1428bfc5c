"""What a person sees and does, in a real browser."""

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import EPISODE_SHOWN, Browser
from records import FEEDBACK, RIGHT, WRONG, episode, turn, various, write

from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.page import whole_page

pytestmark = pytest.mark.timeout(180)

TITLE = ".episode-head h2"
COUNTS = "#counts"
FIRST_PAINT_S = 10.0  # on a busy machine; about half a second is usual
FRAME_MS = 500.0  # likewise; a few milliseconds are usual


@pytest.fixture
def show(browser: Browser, records: Path):
    """A function that opens episodes as a page in one file."""

    def showing(*episodes, link: str = "", wait_for: str = EPISODE_SHOWN, **options) -> Browser:
        index = EpisodeIndex([write(records / "episodes.jsonl", episodes)])
        path = records / "page.html"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(whole_page(index, **options))
        browser.open(path.as_uri() + link, wait_for)
        return browser

    return showing


def wait_for_title(browser: Browser, title: str) -> None:
    browser.wait_for(f"document.querySelector('{TITLE}')?.textContent === {json.dumps(title)}")


def test_an_episode_is_shown_whole(show):
    browser = show(episode())

    assert browser.text(TITLE) == "sum"
    assert browser.text(COUNTS) == "1 episode, 1 solved"
    head = browser.text(".episode-head")
    assert "solved: all tests passed" in head
    assert "seed 7" in head
    assert "bundled: one of the package's own problems, not a result on CodeContests" in head
    assert browser.texts(".turn h3") == ["Turn 1 of 2", "Turn 2 of 2"]
    assert browser.texts(".turn-head .badge") == ["wrong answer", "accepted"]
    assert browser.texts(".turn-head .reward") == ["reward 0", "reward +1"]
    first, second = browser.texts(".turn")
    assert "Tests (public): 1 of 2 passed" in first
    assert "Tests (public): 2 of 2 passed" in second
    assert FEEDBACK.strip() in first
    browser.run("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert "sandbox\tnsjail" in browser.text(".episode > details:last-child")
    assert browser.complaints() == []


def test_input_and_expected_output_come_from_the_feedback_where_it_shows_them(show):
    browser = show(episode())

    streams = browser.texts(".turn:nth-of-type(1) details[open] .stream")
    assert streams == ["Input\n1 2\n", "Expected output\n3\n", "Output\n-1\n"]
    # The first test of the second turn has the same input; it passed, so it is closed.
    closed = "document.querySelectorAll('.turn')[1].querySelector('details .stream').textContent"
    assert browser.run(closed) == "Input1 2\n"


def test_feedback_about_other_tests_is_not_taken_for_expected_outputs(show):
    browser = show(episode(settings={"dataset": "d", "split": "s", "feedback": "random"}))

    assert browser.texts(".turn:nth-of-type(1) details[open] .stream") == ["Output\n-1\n"]
    assert "bundled" not in browser.text(".episode-head")


def test_the_difference_to_the_program_before_is_shown_with_what_changed_in_a_line(show):
    before = "\n".join([*(f"x{i} = {i}" for i in range(30)), "print(a - b)", "old = 1"])
    after = "\n".join([*(f"x{i} = {i}" for i in range(30)), "print(a + b)"])
    turns = turn(before, "wrong answer"), turn(None, reward=-0.2), turn(after)
    browser = show(episode("diff", *turns))

    # The second reply had no program, so the third is compared with the first.
    assert browser.texts("h4").count("Changes since turn 1") == 1
    assert browser.texts(".gap") == ["27 equal lines"]
    assert browser.texts(".removed .diff-text") == ["print(a - b)", "old = 1"]
    assert browser.texts(".added .diff-text") == ["print(a + b)"]
    browser.click(".gap")
    assert len(browser.texts(".diff-line.same")) == 30

    browser = show(episode("marks", turn(WRONG, "wrong answer"), turn(WRONG.replace("-", "+"))))
    assert browser.texts(".diff mark") == ["-", "+"]


def test_programs_have_colours_and_the_numbers_of_their_lines(show):
    program = 'def f(x):\n    """Two\n    lines."""\n    return x + 0x1F  # why\nprint(f("\'"))'
    browser = show(episode("colours", turn(program)))

    assert browser.texts(".gutter") == ["1\n2\n3\n4\n5"]
    assert browser.run("document.querySelector('.code').textContent") == program
    found = {kind: browser.texts(f".code-{kind}") for kind in ("keyword", "number", "comment")}
    assert found == {"keyword": ["def", "return"], "number": ["0x1F"], "comment": ["# why"]}
    assert browser.texts(".code-string") == ['"""Two\n    lines."""', '"\'"']
    assert browser.texts(".code-definition") == ["f"]
    assert browser.texts(".code-builtin") == ["print"]


ATTACKS = [
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload='window.ran = 1'>",
    "<a href='javascript:window.ran = 1'>click</a> [click](javascript:window.ran=1)",
    "<!-- <script> -->]]>",
    "{{script}}{{data}}",
    "<style>* { display: none }</style><iframe srcdoc='x'></iframe>",
]


def test_hostile_text_is_shown_and_nothing_else_comes_of_it(show, records: Path):
    text = "\n".join(ATTACKS)
    report = turn(text, "wrong answer").public_report
    assert report is not None
    results = tuple(replace(result, stdout=text, stderr=text) for result in report.results)
    hostile = turn(
        text,
        public_report=replace(report, results=results),
        reply=f"{text}\n```python\n{text}\n```",
        feedback=text,
    )
    settings = {"dataset": text, "split": text, "feedback": "public", text: {text: [text]}}
    browser = show(episode(text, hostile, turn(f"{text}\n1"), prompt=text, settings=settings))
    browser.run("document.querySelectorAll('details').forEach((e) => (e.open = true))")

    assert browser.run("document.querySelector('.prose').textContent") == text
    assert browser.run("document.querySelector('.code').textContent") == text
    assert text in browser.run("document.querySelector('.row-problem').textContent")
    assert browser.run("window.ran") is None
    counted = "document.querySelectorAll('#episode :is(script, img, svg, a, iframe, style)').length"
    assert browser.run(counted) == 0
    assert browser.run("document.querySelectorAll('script').length") == 4
    assert browser.complaints() == []
    assert [url for url in browser.requested() if not url.startswith(("file:", "data:"))] == []


def test_the_policy_stops_a_script_even_if_one_came_into_the_page(show):
    browser = show(episode())
    browser.run(
        "(() => { const s = document.createElement('script'); try {"
        "s.append('window.ran = 1'); document.body.append(s); } catch {}"
        "try { document.body.innerHTML += '<img src=x onerror=\"window.ran = 1\">'; } catch {} })()"
    )

    assert browser.run("window.ran") is None
    assert browser.complaints()


def test_characters_that_cannot_be_seen_are_made_visible(show):
    text = "a\u202eb\u2066c\u200bd\x1b[31me\x00f\rg\u2028h\ud800i\ufeffj"
    browser = show(episode("odd\u202e", turn(f"# {text}", reply=f"```python\n# {text}\n```")))

    shown = "a U+202E b U+2066 c U+200B d ESC [31me NUL f CR g U+2028 h U+D800 i U+FEFF j"
    assert browser.run("document.querySelector('.code').textContent") == (
        "# " + shown.replace(" ", "")
    )
    marks = [word for word in shown.split() if word.startswith("U+") or word.isupper()]
    assert browser.texts(".code .hidden-char") == marks
    assert browser.text(TITLE) == "oddU+202E"
    assert browser.run("document.title") == "oddU+202E: episode"


def test_long_texts_are_folded_and_open_step_by_step(show):
    reply = "word " * 100_000
    browser = show(episode("long", turn(None, reply=reply, feedback="line\n" * 1_000)))

    def lengths() -> list[int]:
        script = "[...document.querySelectorAll('.turn .prose')].map((e) => e.textContent.length)"
        return browser.run(script)

    assert lengths() == [8_000, 299]  # the first 8,000 characters; the first 60 lines
    assert browser.texts(".more") == [
        "Show more (1 lines, 499,999 characters)",
        "Show more (1,001 lines, 5,000 characters)",
    ]
    browser.click(".more")
    assert lengths() == [208_000, 299]


def test_search_and_filters_narrow_the_list_and_count(show):
    browser = show(*various(40))
    assert browser.text(COUNTS) == "40 episodes, 20 solved"

    browser.press("/")
    browser.type("problem 000")
    browser.wait_for("document.querySelectorAll('.row').length === 10")
    assert browser.text(COUNTS) == "10 of 40 episodes, 5 solved"

    browser.choose("#facet-outcome", "=time limit exceeded")
    assert browser.text(COUNTS) == "3 of 40 episodes, 0 solved"  # 1, 5 and 9
    assert browser.texts(".row-problem") == ["problem-0001", "problem-0005", "problem-0009"]
    # Choices are counted among the rows that the other filters leave.
    assert browser.texts("#facet-outcome option") == [
        *("all (10)", "accepted (5)", "no code (2)", "time limit exceeded (3)")
    ]

    browser.click("#clear")
    assert browser.text(COUNTS) == "40 episodes, 20 solved"
    browser.choose("#facet-turns", "=1")
    assert browser.text(COUNTS) == "10 of 40 episodes, 0 solved"
    browser.run("document.getElementById('search').focus()")
    browser.type("nothing like it")
    assert browser.text(COUNTS) == "0 of 40 episodes, 0 solved"
    assert browser.text("#rows") == "No episode matches."


def test_sorting_by_reward_turns_and_problem(show):
    browser = show(*various(4))

    def order(key: str) -> list[str]:
        browser.choose("#sort", key)
        return [name[-1] for name in browser.texts(".row-problem")]

    assert order("reward") == ["1", "3", "0", "2"]  # rewards 1, -1, 1, -1; equal ones as recorded
    assert order("turns") == ["3", "0", "1", "2"]
    browser.click("#direction")
    assert order("problem") == ["3", "2", "1", "0"]
    assert order("reward") == ["0", "2", "1", "3"]


def test_j_and_k_go_through_the_list_and_slash_searches(show):
    browser = show(*various(30))
    assert browser.text(TITLE) == "problem-0000"

    browser.press("j")
    wait_for_title(browser, "problem-0001")
    for _ in range(20):
        browser.press("j")
    wait_for_title(browser, "problem-0021")
    assert browser.text("[aria-selected=true] .row-problem") == "problem-0021"
    browser.press("k")
    wait_for_title(browser, "problem-0020")

    browser.press("/")
    browser.type("j")  # typed into the search, it is a letter
    assert browser.run("document.activeElement.id") == "search"
    assert browser.text(COUNTS) == "0 of 30 episodes, 0 solved"
    browser.press("Escape")
    assert browser.run("document.activeElement.id") != "search"


def test_a_click_opens_an_episode_and_its_link_leads_back_to_it(show, records: Path):
    browser = show(*various(200))
    browser.click(".row:nth-child(3)")
    wait_for_title(browser, "problem-0002")
    assert browser.run("location.hash") == "#run%2Fepisodes.jsonl:3"

    browser = show(*various(200), link="#" + quote("run/episodes.jsonl", safe="") + ":150")
    assert browser.text(TITLE) == "problem-0149"
    assert "problem-0149" in browser.texts(".row-problem")  # the list was scrolled to it
    browser.run("location.hash = '#run%2Fepisodes.jsonl:999'")
    browser.wait_for("document.querySelector('.message')")
    assert "There is no such episode" in browser.text("#episode")


def test_a_click_counts_though_the_list_is_drawn_between_press_and_release(show):
    browser = show(*various(200))
    at = browser.middle(".row:nth-child(3)")
    browser.mouse("mousePressed", at)
    browser.run(
        "(async () => { document.getElementById('list').scrollTop = 1;"
        "for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame); })()"
    )
    browser.mouse("mouseReleased", at)
    wait_for_title(browser, "problem-0002")


def test_rows_are_in_order_wherever_the_list_was_scrolled(show):
    browser = show(*various(300))
    for place in (0, 8_000, 7_900, 100, 16_000, 0):
        browser.run(
            f"(async () => {{ document.getElementById('list').scrollTop = {place};"
            "for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame); })()"
        )
        names = browser.texts(".row-problem")
        first = int(names[0][-4:])
        assert names == [f"problem-{first + i:04}" for i in range(len(names))]
        assert len(names) < 60


def test_five_thousand_episodes_stay_fluid(show):
    start = time.monotonic()
    browser = show(*various(5_000))
    elapsed = time.monotonic() - start  # writing the records and the page is in it, too
    assert elapsed < FIRST_PAINT_S + 10
    painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    browser.wait_for(painted)
    painted_ms = browser.run(painted)
    assert painted_ms < FIRST_PAINT_S * 1000
    assert browser.text(COUNTS) == "5,000 episodes, 2,500 solved"
    assert browser.run("document.querySelectorAll('.row').length") < 60

    slowest_ms = browser.run(
        """(async () => {
          const list = document.getElementById("list");
          let slowest = 0;
          for (let step = 1; step <= 60; step += 1) {
            const start = performance.now();
            list.scrollTop = (list.scrollHeight * step) / 60;
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            slowest = Math.max(slowest, performance.now() - start);
          }
          return slowest;
        })()"""
    )
    assert slowest_ms < FRAME_MS
    assert browser.texts(".row-problem")[-1] == "problem-4999"

    filter_ms = browser.run(
        """(() => {
          const start = performance.now();
          const search = document.getElementById("search");
          search.value = "49";
          search.dispatchEvent(new Event("input"));
          return performance.now() - start;
        })()"""
    )
    assert filter_ms < FRAME_MS


def test_compressed_records_are_unpacked_when_they_are_opened(show):
    browser = show(*various(50), max_plain_bytes=0)
    assert browser.text(TITLE) == "problem-0000"
    assert browser.texts(".turn h3") == ["Turn 1 of 2", "Turn 2 of 2"]
    assert browser.complaints() == []


def test_a_browser_that_cannot_unpack_is_told_what_to_do(browser: Browser, show):
    script = "delete globalThis.DecompressionStream"
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        show(episode(), max_plain_bytes=0, wait_for="document.querySelector('.message')")
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", **added)

    assert "This browser cannot unpack the episodes" in browser.text("#episode")
    assert browser.text(COUNTS) == "1 episode, 1 solved"  # the list needs no unpacking


def test_the_served_page_fetches_only_what_is_opened(browser: Browser, serve, records: Path):
    index = EpisodeIndex([write(records / "episodes.jsonl", various(100))])
    with serve(index) as server:
        browser.open(server.url)
        browser.press("j")
        wait_for_title(browser, "problem-0001")

        asked = [url.removeprefix(server.url) for url in browser.requested()]
        assert [path for path in asked if path.startswith("episodes/")] == [
            "episodes/0",
            "episodes/1",
        ]
        assert browser.complaints() == []


def test_refresh_and_follow_show_episodes_as_they_come(browser: Browser, serve, records: Path):
    path = write(records / "episodes.jsonl", various(2))
    with serve(EpisodeIndex([records])) as server:
        browser.open(server.url)
        text = episode("late").to_json()
        with path.open("a") as file:
            file.write(text[:50])
        browser.click("#refresh")
        browser.wait_for("document.querySelector('.note')")
        assert "the last line is unfinished" in browser.text("#notes")
        assert browser.text(COUNTS) == "2 episodes, 1 solved"

        with path.open("a") as file:
            file.write(text[50:] + "\n")
        browser.click("#follow")
        browser.wait_for("document.querySelector('#counts').textContent.startsWith('3 ')")
        assert browser.text("#notes") == ""
        assert browser.text(TITLE) == "problem-0000"  # what was open stays open


def test_a_server_that_has_ended_is_said(browser: Browser, records: Path):
    command = [sys.executable, "-m", "codefeedback_env", "view", "--port", "0"]
    path = write(records / "episodes.jsonl", various(3))
    with subprocess.Popen([*command, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url is not None
        browser.open(url[0])
        process.terminate()
        process.wait(timeout=20)
    browser.press("j")
    browser.wait_for("document.querySelector('.message')")
    assert "is codefeedback view still running?" in browser.text("#episode")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800])
def test_nothing_overlaps_or_runs_out_of_the_window(show, browser: Browser, width, scheme):
    browser.size(width, 900, scheme)
    long = "x" * 3_000
    browser = show(
        episode("wide-" + "w" * 300, turn(WRONG, "wrong answer", reply=long), turn(RIGHT)),
        *various(30),
    )

    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(
        "[...document.querySelectorAll('#episode, .turn, .part, aside')]"
        ".every((e) => e.getBoundingClientRect().right <= innerWidth + 1)"
    )
    red, green, blue = browser.run(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (max(red, green, blue) < 60) == (scheme == "dark")
    picture = browser.screenshot()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000  # an empty window is a tenth of that


def test_the_theme_can_be_chosen_against_the_system(show, browser: Browser):
    browser = show(episode())
    background = "getComputedStyle(document.body).backgroundColor"
    light = browser.run(background)
    browser.click("#theme")
    assert (browser.text("#theme"), browser.run(background)) == ("Theme: light", light)
    browser.click("#theme")
    assert browser.text("#theme") == "Theme: dark"
    assert browser.run(background) != light
    browser.click("#theme")
    assert (browser.text("#theme"), browser.run(background)) == ("Theme: auto", light)

"""The page about a run, and the checks of its numbers."""

import json
import re
import subprocess
import sys

import pytest

from benchmarks import record
from benchmarks.learning.report import page, wilson


def a_run(arm, seed, solved, **more):
    num_turns = 1 if arm == "single" else 3
    return {
        "arm": arm,
        "seed": seed,
        "curve": [
            {"iteration": n, "solve_rate": 0.1 * n, "solved_by_turn": [0.1 * n] * num_turns}
            for n in range(1, 6)
        ],
        "evaluation": {"true": {"num_solved": solved, "num_episodes": 100}},
        "transcripts": {
            "before": [talk("<b>&")],
            "after": [talk("</pre><script>alert(1)</script>")],
        },
        "sandbox": "bubblewrap",
        "cpu_s": 12.3,
        "wall_s": 45.6,
        **more,
    }


def talk(reply):
    turn = {"reply": reply, "feedback": "", "reward": 1.0}
    return {"problem_id": "p", "prompt": "<i>const</i>", "turns": [turn], "private_passed": True}


@pytest.fixture
def result():
    return {
        **record.begin("learning", ["--seeds", "0"]),
        "family": "const",
        "about_family": "A digit.",
        "blind_ceiling": 0.3,
        "seeds": [0, 1],
        "model": {"num_parameters": 123456},
        "settings": {"learning_rate": 0.001},
        "evaluation": {"num_episodes": 100},
        "sandbox": "bubblewrap",
        "runs": [
            a_run("true", 0, 90),
            a_run("true", 1, 100),
            a_run("single", 0, 10, stored_in="results/old.json"),
        ],
        "checks": [
            {"what": "w", "bound": 0.85, "at_least": True, "value": 0.95, "holds": True},
            {"what": "v", "bound": 0.35, "at_least": False, "value": 0.5, "holds": False},
        ],
    }


def test_interval_is_that_of_the_textbook():
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_page_shows_scores_origin_and_settings(result):
    html = page(result)
    assert "0.900 [0.83, 0.94]" in html  # of 90 of 100
    assert "results/old.json" in html
    assert "(stored)" in html
    assert "at most 0.35" in html
    assert "missed" in html
    for needed in (result["command"], result["hardware"]["cpu"], result["versions"]["python"]):
        assert needed.replace("'", "&#x27;") in html


def test_nothing_a_model_writes_becomes_markup(result):
    html = page(result)
    assert "<script" not in html
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;i&gt;const&lt;/i&gt;" in html


def test_page_refers_to_nothing_outside(result):
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://", page(result))


def test_page_can_be_made_again_from_a_stored_result(result, tmp_path):
    stored, target = tmp_path / "result.json", tmp_path / "page.html"
    stored.write_text(json.dumps(result))
    command = [sys.executable, "-m", "benchmarks.learning.report", str(stored), str(target)]
    subprocess.run(command, check=True, cwd=record.RESULTS.parent.parent)
    assert target.read_text() == page(result)

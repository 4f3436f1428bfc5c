"""Where the time of the learning benchmark's training goes, and how its page shows it."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.learning.report import _phases
from benchmarks.learning.runs import PHASES, phases_of

SECONDS = dict(zip(PHASES, (30.0, 8.0, 4.0, 6.0, 28.0, 1.0, 2.0, 1.0), strict=True))


def a_run(**more):
    return {"arm": "true", "seed": 3, **more}


def test_all_but_generating_scoring_and_updating_is_outside_the_model():
    """30 + 6 + 28 of 100 seconds are inside; the phases are 80 of them together."""
    phases = phases_of(SECONDS, 100.0)
    assert phases["outside_model"] == pytest.approx(0.36)
    assert phases["seconds"] == {**SECONDS, "other": 20.0}


def test_the_page_shows_phases_of_runs_that_have_them():
    html = _phases([a_run(phases=phases_of(SECONDS, 100.0)), a_run(seed=4)])
    assert "36%" in html
    assert "judge wait s" in html
    assert '<td class="n">28.0</td>' in html
    assert html.count("<tr>") == 2  # the head, and one run


def test_a_page_of_runs_stored_without_phases_has_no_such_table():
    assert _phases([a_run()]) == ""

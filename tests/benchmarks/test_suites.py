"""Suite files: those that ship are valid, others are refused with file and key."""

from pathlib import Path

import pytest

from benchmarks.evaluation.paper import PAPER
from benchmarks.evaluation.suite import (
    SUITES,
    Metric,
    load_suite,
    override,
    parse_metric,
)
from codefeedback_env import ConfigError

SHIPPED = sorted(path.stem for path in SUITES.glob("*.toml"))
GOOD = """
about = "Two conditions."
gaps = [["a", "b"]]
[common]
env = "CodeContests-v0"
split = "bundled"
rollouts = 4
temperature = 1
metrics = ["1@3", "pass@2"]
[[cells]]
name = "a"
turn_limit = 3
[[cells]]
name = "b"
turn_limit = 3
feedback = "random"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_suites_of_the_paper_ship() -> None:
    assert {
        *("bundled", "code_contests_valid", "code_contests_test", "feedback_ablation"),
        *("turn_limit_sweep", "generalisation"),
    } <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_suite_is_valid(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert len(suite.content_hash) == 64


@pytest.mark.parametrize("split", ["valid", "test"])
def test_table_1_is_played_as_the_paper_did(split: str) -> None:
    cold, warm = load_suite(f"code_contests_{split}").cells
    for cell in (cold, warm):
        assert (cell.judging, cell.exclude, cell.turn_limit, cell.rollouts) == (
            *("deepmind", "none", 3, 200),
        )
        assert cell.problems is None
    assert (cold.temperature, cold.top_p) == (0.2, 0.95)
    assert warm.temperature == 1.0
    assert "1@3" in cold.metrics
    assert "10@100" in warm.metrics
    assert warm.draws(Metric("10@100", "n@k", 10, 100)) == 33


def test_the_sweep_spends_the_same_budget_in_every_cell() -> None:
    cells = load_suite("turn_limit_sweep").cells
    assert [cell.turn_limit for cell in cells] == [1, 3, 5, 10]
    # 200 replies for each problem: 66 rollouts of three turns are 198.
    assert [cell.rollouts * cell.turn_limit for cell in cells] == [200, 198, 200, 200]


def test_the_ablation_compares_three_sources_of_feedback() -> None:
    suite = load_suite("feedback_ablation")
    assert [cell.feedback for cell in suite.cells] == ["public", "random", "none"]
    assert suite.gaps == (("public", "random"), ("public", "none"))


def test_the_paper_numbers_of_table_1() -> None:
    (number,) = [
        number
        for number in PAPER["code_contests_test"]
        if (number.model, number.metric) == ("Llama 3.1 70B + RLEF", "1@3")
    ]
    assert (number.percent, number.table) == (40.1, "Table 1")


def test_common_values_hold_for_all_cells(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    assert [cell.rollouts for cell in suite.cells] == [4, 4]
    assert [cell.feedback for cell in suite.cells] == ["public", "random"]
    assert suite.cells[0].temperature == 1.0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('about = "Two', 'abuot = "Two', "unknown key 'abuot'; did you mean 'about'"),
        ("rollouts = 4", "rolouts = 4", "common: unknown key 'rolouts'; did you mean 'rollouts'"),
        ('name = "b"', 'name = "b"\nturns = 3', "number 2: unknown key 'turns'"),
        ("rollouts = 4", 'rollouts = "4"', "rollouts = '4' must be of type int"),
        ("rollouts = 4", "rollouts = true", "rollouts = True must be of type int"),
        ("rollouts = 4", "rollouts = 0", "rollouts = 0 must be at least 1"),
        ("temperature = 1", "temperature = -1", "temperature = -1.0 must not be negative"),
        ("temperature = 1", "temperature = 1\ntop_p = 0.0", "top_p = 0.0 must be in"),
        ('feedback = "random"', 'feedback = "radnom"', "feedback = 'radnom' is none of"),
        ('feedback = "random"', 'judging = "mild"', "judging = 'mild' is none of"),
        ('feedback = "random"', 'exclude = "bad"', "exclude = 'bad' is none of"),
        ('feedback = "random"', 'paper = "table 9"', "paper = 'table 9' is none of"),
        ('"pass@2"]', '"pass@2", "best"]', "metrics: 'best' is no metric"),
        ('"pass@2"]', '"3@2"]', "metrics: '3@2' needs 1 <= n <= k"),
        ('"pass@2"]', '"pass@5"]', "pass@5 draws 5 rollouts"),
        ('"pass@2"]', '"1@2"]', "1@2 draws 0 rollouts"),
        ('["1@3", "pass@2"]', "[]", "metrics is empty"),
        ('name = "b"', 'name = "a"', "two are called 'a'"),
        ('["a", "b"]]', '["a", "c"]]', "gaps: .* is no pair"),
        ("rollouts = 4\n", "", "rollouts is missing"),
        ("[common]", "[common", "mine.toml"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=said) as caught:
        load_suite(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "mine.toml" in str(caught.value)


def test_an_unknown_suite_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'bundled'"):
        load_suite("bundeld")


def test_options_that_change_the_suite_are_deviations(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    changed, deviations = override(suite, {"rollouts": 2, "problems": None, "split": "bundled"})
    assert [cell.rollouts for cell in changed.cells] == [2, 2]
    found = [(d.cell, d.key, d.suite, d.run) for d in deviations]
    assert found == [("a", "rollouts", 4, 2), ("b", "rollouts", 4, 2)]
    assert str(deviations[0]) == "rollouts = 2 instead of 4"
    _, (fewer, _) = override(suite, {"problems": 5})
    assert str(fewer) == "problems = 5 instead of all"


def test_a_file_of_problems_has_no_split_of_the_dataset(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    of_file, _ = override(suite, {}, [str(tmp_path / "rows.jsonl")])
    of_folder, _ = override(suite, {}, [str(tmp_path)])
    assert [cell.split for cell in of_file.cells] == [None, None]
    assert [cell.split for cell in of_folder.cells] == ["bundled", "bundled"]


def test_each_cell_may_have_data_of_its_own(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, GOOD))
    changed, deviations = override(suite, {}, ["b=rows.jsonl"])
    assert [cell.path for cell in changed.cells] == [None, "rows.jsonl"]
    assert [(d.cell, d.key) for d in deviations] == [("b", "path"), ("b", "split")]


@pytest.mark.parametrize(
    ("name", "kind", "n", "k"),
    [
        ("10@100", "n@k", 10, 100),
        ("pass@10", "pass@k", 1, 10),
        ("single-turn 1@3", "single-turn n@k", 1, 3),
    ],
)
def test_names_of_metrics(name: str, kind: str, n: int, k: int) -> None:
    assert parse_metric(name) == Metric(name, kind, n, k)

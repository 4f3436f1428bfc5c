import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets.code_contests import load_code_contests
from codefeedback_env.datasets.problem_set import (
    ProblemFilter,
    ProblemSet,
    ProblemSummary,
    summarise,
)
from codefeedback_env.datasets.several_answers import accepts_several_answers
from codefeedback_env.errors import ConfigError
from codefeedback_env.make import load_problems, make_rules
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

MakeRow = Callable[..., dict[str, Any]]
WriteRows = Callable[..., Path]

SUMMARY = ProblemSummary(
    id="x",
    tags=("math", "greedy"),
    rating=800,
    num_public_tests=1,
    num_private_tests=2,
    num_generated_tests=3,
    judge="codeforces",
    date=datetime.date(2024, 5, 17),
    has_reference=True,
    has_unique_answer=True,
)
DAY = datetime.date(2024, 5, 17)
ONE_DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("condition", "stays"),
    [
        ({"without_tags": ("dp",)}, True),
        ({"without_tags": ("dp", "math")}, False),
        ({"tags": ("greedy",), "without_tags": ("math",)}, False),
        ({"judges": ("atcoder", "codeforces")}, True),
        ({"judges": ("atcoder",)}, False),
        ({"first_date": DAY, "last_date": DAY}, True),
        ({"first_date": DAY + ONE_DAY}, False),
        ({"last_date": DAY - ONE_DAY}, False),
        ({"max_public_tests": 1}, True),
        ({"max_public_tests": 0}, False),
        ({"max_private_tests": 2}, True),
        ({"max_private_tests": 1}, False),
        ({"min_generated_tests": 3, "max_generated_tests": 3}, True),
        ({"min_generated_tests": 4}, False),
        ({"max_generated_tests": 2}, False),
        ({"max_hidden_tests": 5}, True),
        ({"max_hidden_tests": 4}, False),
        ({"is_function": False}, True),
        ({"is_function": True}, False),
        ({"has_reference": True}, True),
        ({"has_reference": False}, False),
        ({"has_unique_answer": True}, True),
        ({"has_unique_answer": False}, False),
    ],
)
def test_a_filter_keeps_what_meets_every_condition(
    condition: dict[str, object], stays: bool
) -> None:
    assert ProblemFilter(**condition)(SUMMARY) is stays  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "condition",
    [
        {"judges": ("codeforces",)},
        {"first_date": datetime.date.min},
        {"last_date": datetime.date.max},
        {"has_reference": True},
        {"has_reference": False},
        {"has_unique_answer": True},
        {"has_unique_answer": False},
    ],
)
def test_what_nobody_knows_meets_no_condition(condition: dict[str, object]) -> None:
    assert not ProblemFilter(**condition)(ProblemSummary(id="x"))  # type: ignore[arg-type]
    assert ProblemFilter()(ProblemSummary(id="x"))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"min_rating": 2, "max_rating": 1}, "min_rating=2 is more than max_rating=1"),
        ({"min_hidden_tests": 2, "max_hidden_tests": 1}, "min_hidden_tests=2 is more than"),
        (
            {"first_date": DAY, "last_date": DAY - ONE_DAY},
            "first_date=2024-05-17 is more than last_date=2024-05-16",
        ),
    ],
)
def test_a_span_that_is_empty_is_refused(condition: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProblemFilter(**condition)  # type: ignore[arg-type]


# What summaries know


def test_a_summary_of_a_problem_made_in_python_knows_its_programs_date_and_style() -> None:
    task = FunctionTask(name="f", style=FunctionStyle.CALL)
    problems = ProblemSet.from_problems(
        [
            Problem(id="a", statement="s", source={"judge": "atcoder", "date": "2024-05-17T10:00"}),
            Problem(id="b", statement="s", function=task, source={"date": "in May"}),
        ],
        reference_programs={"b": ["pass"]},
    )
    a, b = problems.summaries
    assert (a.judge, a.date, a.is_function, a.has_reference) == ("atcoder", DAY, False, False)
    assert (b.judge, b.date, b.is_function, b.has_reference) == (None, None, True, True)


@pytest.mark.parametrize(
    ("changes", "unique"),
    [
        ({}, True),
        ({"checker": "permutation"}, False),
        ({"statement": "If there are several solutions, print any of them."}, False),
        (
            {
                "statement": "Print any of them.",
                "function": FunctionTask(name="f", style=FunctionStyle.ASSERTS),
            },
            True,  # test code says itself what it takes
        ),
    ],
)
def test_an_answer_is_unique_unless_checker_or_statement_say_otherwise(
    changes: dict[str, Any], unique: bool
) -> None:
    problem = Problem(**{"id": "x", "statement": "Print n.", **changes})
    assert summarise(problem).has_unique_answer is unique


@pytest.mark.parametrize(
    ("statement", "several"),
    [
        ("If there are multiple answers, print any of them.", True),
        ("If there are many optimal solutions, output any of them.", True),
        ("You may print any valid answer.", True),
        ("If there are several ways, any one will be accepted.", True),
        ("Find any permutation that works.", True),
        ("Print the answer modulo 10.", False),
        ("Alice does not win in any of the ways.", False),
        ("There are many answers. Print their number.", False),
    ],
)
def test_a_statement_says_whether_any_of_several_answers_will_do(
    statement: str, several: bool
) -> None:
    assert accepts_several_answers(statement) is several


def test_code_contests_summaries_know_judge_programs_and_answers(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    path = write_rows(
        [
            make_row(),
            make_row(solutions={"language": [4], "solution": ["class Main {}"]}),
            make_row(solutions=None, source=4),
            make_row(solutions={"language": "no list", "solution": []}, checker="any"),
            make_row(description="If there are several answers, print any."),
        ]
    )
    summaries = load_code_contests(path).summaries
    judges = ["codeforces", "codeforces", "codejam", "codeforces", "codeforces"]
    assert [summary.judge for summary in summaries] == judges
    assert [summary.has_reference for summary in summaries] == [True, False, False, None, True]
    assert [s.has_unique_answer for s in summaries] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("dataset", "file", "condition", "num_kept"),
    [
        ("code_contests", "codecontests_test_sample.jsonl.gz", {"has_reference": True}, 31),
        ("code_contests", "codecontests_test_sample.jsonl.gz", {"has_reference": False}, 9),
        ("taco", "taco_sample.jsonl.gz", {"has_reference": True}, 1),
        ("human_eval", "humaneval.jsonl.gz", {"has_reference": True, "is_function": True}, 164),
        ("human_eval", "humaneval.jsonl.gz", {"is_function": False}, 0),
        ("mbpp", "mbpp_sample.jsonl.gz", {"has_unique_answer": True}, 100),
        ("live_code_bench", "livecodebench_sample.jsonl.gz", {"has_reference": True}, 0),
        (
            "live_code_bench",
            "livecodebench_sample.jsonl.gz",
            {"judges": ("codeforces", "leetcode", "atcoder"), "first_date": datetime.date.min},
            42,
        ),
    ],
)
def test_real_rows_fill_the_summaries(
    dataset: str, file: str, condition: dict[str, Any], num_kept: int, sample_data: Path
) -> None:
    problems = load_problems(dataset, path=sample_data / file, exclude=None)
    assert len(problems.filter(ProblemFilter(**condition))) == num_kept


def test_live_code_bench_summaries_agree_with_the_problems(sample_data: Path) -> None:
    path = sample_data / "livecodebench_sample.jsonl.gz"
    problems = load_problems("live_code_bench", path=path, exclude=None)
    for summary, problem in zip(problems.summaries, problems, strict=True):
        expected = summarise(problem)
        for name in ("judge", "date", "is_function", "has_unique_answer"):
            assert getattr(summary, name) == getattr(expected, name), (problem.id, name)


# As an option of an environment


@pytest.mark.parametrize(
    "problem_filter",
    [
        "paper",
        ProblemFilter(min_public_tests=1, min_private_tests=1),
        lambda summary: summary.num_public_tests and summary.num_private_tests,
    ],
)
def test_a_filter_is_a_name_an_object_or_a_function(problem_filter: Any) -> None:
    test = (TestCase("1", "1"),)
    problems = ProblemSet.from_problems(
        [
            Problem(id="both", statement="s", public_tests=test, private_tests=test),
            Problem(id="generated", statement="s", public_tests=test, generated_tests=test),
        ]
    )
    rules = make_rules(dataset=problems, problem_filter=problem_filter)
    assert rules.problems.ids == ("both",)

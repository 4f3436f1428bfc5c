import copy
import pickle

import pytest

from codefeedback_env.datasets.problem_set import (
    PROBLEM_FILTERS,
    ProblemFilter,
    ProblemSet,
    ProblemSummary,
    WrongProgram,
    summarise,
)
from codefeedback_env.errors import ConfigError, UnknownProblemError
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import Verdict


def make_problem(number: int, statement: str = "Print nothing.") -> Problem:
    return Problem(id=f"p{number}", statement=statement)


class CountingSource:
    """Ten problems; says which were read."""

    name = "counting"
    split = "train"
    fingerprint = "0123"

    def __init__(self) -> None:
        self.read: list[int] = []
        self.summaries = [
            ProblemSummary(id=f"p{i}", rating=100 * i or None, num_public_tests=i % 2)
            for i in range(10)
        ]

    def problem(self, position: int) -> Problem:
        self.read.append(position)
        return make_problem(position)

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        return (Submission("python3", f"right {position}"),)

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        return (WrongProgram(Submission("python3", f"wrong {position}"), Verdict.WRONG_ANSWER),)


@pytest.fixture
def source() -> CountingSource:
    return CountingSource()


@pytest.fixture
def problems(source: CountingSource) -> ProblemSet:
    return ProblemSet(source)


# Reading


def test_a_problem_is_read_by_id_or_position(problems: ProblemSet) -> None:
    assert problems["p3"] == problems[3] == make_problem(3)
    assert problems[-1].id == "p9"


def test_problems_are_read_only_when_asked_for(
    source: CountingSource, problems: ProblemSet
) -> None:
    assert len(problems) == 10
    assert problems.ids[0] == "p0"
    assert "p3" in problems
    assert repr(problems)
    assert problems.filter(ProblemFilter(min_public_tests=1)).shard(0, 2).ids
    assert source.read == []
    for problem in problems:
        if problem.id == "p1":
            break
    assert source.read == [0, 1]


def test_iterating_gives_the_order_of_the_ids_every_time(problems: ProblemSet) -> None:
    expected = tuple(f"p{i}" for i in range(10))
    assert problems.ids == expected
    assert tuple(p.id for p in problems) == tuple(p.id for p in problems) == expected


def test_programs_are_those_of_the_problem_also_in_a_part_of_the_set(
    problems: ProblemSet,
) -> None:
    part = problems.shard(1, 3)
    assert part.ids == ("p1", "p4", "p7")
    assert part["p4"].id == part[1].id == "p4"
    assert part.reference_programs("p4") == (Submission("python3", "right 4"),)
    assert part.wrong_programs("p4")[0].submission.source_code == "wrong 4"


def test_an_unknown_id_says_which_set_lacks_it(problems: ProblemSet) -> None:
    with pytest.raises(UnknownProblemError) as caught:
        _ = problems["p10"]
    assert str(caught.value) == (
        "no problem 'p10' in counting (train, 10 problems); the attribute `ids` lists them."
    )
    assert "p10" not in problems


def test_a_problem_that_was_filtered_out_is_unknown(problems: ProblemSet) -> None:
    part = problems.shard(0, 2)
    assert "p1" not in part
    for read in (part.__getitem__, part.reference_programs, part.wrong_programs):
        with pytest.raises(UnknownProblemError):
            read("p1")


def test_a_position_outside_is_an_index_error(problems: ProblemSet) -> None:
    with pytest.raises(IndexError):
        _ = problems[10]


def test_a_deep_copy_is_the_set_itself(problems: ProblemSet) -> None:
    assert copy.deepcopy({"problems": problems})["problems"] is problems


def test_a_pickled_set_has_the_same_problems_and_fingerprint(problems: ProblemSet) -> None:
    part = problems.shard(1, 2)
    again = pickle.loads(pickle.dumps(part))
    assert again.ids == part.ids
    assert again.fingerprint == part.fingerprint
    assert again["p3"] == part["p3"]


def test_the_name_split_and_size_stand_in_the_repr(problems: ProblemSet) -> None:
    assert repr(problems) == (
        f"ProblemSet('counting', split='train', 10 problems, fingerprint={problems.fingerprint})"
    )


# Filters


SUMMARY = ProblemSummary(
    id="x",
    difficulty="easy",
    rating=800,
    tags=("math", "greedy"),
    num_public_tests=1,
    num_private_tests=2,
    num_generated_tests=3,
)


@pytest.mark.parametrize(
    ("condition", "stays"),
    [
        ({}, True),
        ({"ids": ("x", "y")}, True),
        ({"ids": ("y",)}, False),
        ({"ids": ()}, False),
        ({"difficulties": ("easy", "hard")}, True),
        ({"difficulties": ("hard",)}, False),
        ({"tags": ("greedy", "dp")}, True),
        ({"tags": ("dp",)}, False),
        ({"min_rating": 800, "max_rating": 800}, True),
        ({"min_rating": 801}, False),
        ({"max_rating": 799}, False),
        ({"min_public_tests": 1}, True),
        ({"min_public_tests": 2}, False),
        ({"min_private_tests": 2}, True),
        ({"min_private_tests": 3}, False),
        ({"min_hidden_tests": 5}, True),
        ({"min_hidden_tests": 6}, False),
        # all conditions must hold
        ({"difficulties": ("easy",), "tags": ("dp",)}, False),
    ],
)
def test_a_filter_keeps_what_meets_every_condition(
    condition: dict[str, object], stays: bool
) -> None:
    assert ProblemFilter(**condition)(SUMMARY) is stays  # type: ignore[arg-type]


@pytest.mark.parametrize("condition", [{"min_rating": 1}, {"max_rating": 9999}])
def test_a_problem_without_rating_meets_no_condition_on_it(condition: dict[str, int]) -> None:
    assert not ProblemFilter(**condition)(ProblemSummary(id="x"))  # type: ignore[arg-type]


def test_the_papers_filter_needs_public_and_private_tests() -> None:
    paper = PROBLEM_FILTERS["paper"]
    assert paper(ProblemSummary(id="x", num_public_tests=1, num_private_tests=1))
    assert not paper(ProblemSummary(id="x", num_public_tests=1, num_generated_tests=9))
    assert not paper(ProblemSummary(id="x", num_private_tests=1))
    assert PROBLEM_FILTERS["all"](ProblemSummary(id="x"))


def test_filters_apply_one_after_the_other_and_leave_the_set_as_it_was(
    problems: ProblemSet,
) -> None:
    odd = problems.filter(ProblemFilter(min_public_tests=1))
    assert odd.ids == ("p1", "p3", "p5", "p7", "p9")
    assert odd.filter(lambda summary: (summary.rating or 0) > 400).ids == ("p5", "p7", "p9")
    assert len(problems) == 10


def test_a_filter_may_leave_nothing(problems: ProblemSet) -> None:
    nothing = problems.filter(lambda summary: False)
    assert (len(nothing), nothing.ids, list(nothing)) == (0, (), [])


# Shards


@pytest.mark.parametrize("num_shards", [1, 2, 3, 7, 10, 13])
def test_shards_partition_the_set_evenly(problems: ProblemSet, num_shards: int) -> None:
    shards = [problems.shard(index, num_shards) for index in range(num_shards)]
    assert sorted(i for shard in shards for i in shard.ids) == sorted(problems.ids)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("shard", [(0, 0), (2, 2), (-1, 2), (0, -1)])
def test_a_shard_that_does_not_exist_is_refused(
    problems: ProblemSet, shard: tuple[int, int]
) -> None:
    with pytest.raises(ConfigError, match="is no shard; give"):
        problems.shard(*shard)


# Fingerprints


def test_a_fingerprint_is_sixteen_hexadecimal_digits(problems: ProblemSet) -> None:
    assert len(problems.fingerprint) == 16
    int(problems.fingerprint, 16)


def test_the_fingerprint_tells_data_choice_and_order_apart(source: CountingSource) -> None:
    changed = CountingSource()
    changed.fingerprint = "4567"
    sets = [
        ProblemSet(source),
        ProblemSet(changed),
        ProblemSet(source, [0, 1]),
        ProblemSet(source, [1, 0]),
        ProblemSet(source, []),
    ]
    assert len({problems.fingerprint for problems in sets}) == len(sets)
    assert ProblemSet(source, [0, 1]).fingerprint == sets[2].fingerprint


def test_the_fingerprint_of_problems_made_in_python_follows_their_content() -> None:
    def fingerprint(*problems: Problem) -> str:
        return ProblemSet.from_problems(problems).fingerprint

    assert fingerprint(make_problem(1)) == fingerprint(make_problem(1))
    assert fingerprint(make_problem(1)) != fingerprint(make_problem(1, "Print 1."))


# Problems made in Python


def test_problems_made_in_python_have_programs_and_summaries() -> None:
    problem = Problem(
        id="double",
        statement="Print twice the number.",
        public_tests=(TestCase("1\n", "2\n"),),
        generated_tests=(TestCase("2\n", "4\n"), TestCase("3\n", "6\n")),
        difficulty="easy",
        tags=("math",),
    )
    problems = ProblemSet.from_problems(
        [problem],
        reference_programs={"double": ["print(2 * int(input()))"]},
        wrong_programs={"double": ["print(2)", "print(4)"]},
    )
    assert (problems.name, problems.split) == ("custom", "custom")
    assert problems["double"] == problem
    assert problems.reference_programs("double") == (
        Submission("python3", "print(2 * int(input()))"),
    )
    assert problems.wrong_programs("double") == (
        WrongProgram(Submission("python3", "print(2)")),
        WrongProgram(Submission("python3", "print(4)")),
    )
    assert problems.summaries == (summarise(problem, has_reference=True),)
    assert problems.summaries[0] == ProblemSummary(
        id="double",
        difficulty="easy",
        tags=("math",),
        num_public_tests=1,
        num_generated_tests=2,
        has_reference=True,
        has_unique_answer=True,
    )


def test_problems_without_programs_have_none() -> None:
    problems = ProblemSet.from_problems([make_problem(1)], name="mine", split="dev")
    assert (problems.name, problems.split) == ("mine", "dev")
    assert problems.reference_programs("p1") == ()
    assert problems.wrong_programs("p1") == ()


def test_repeated_ids_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"come up twice: \['p1'\]"):
        ProblemSet.from_problems([make_problem(1), make_problem(2), make_problem(1)])


@pytest.mark.parametrize("kind", ["reference_programs", "wrong_programs"])
def test_programs_for_unknown_problems_are_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown problems \['p2'\]; known: \['p1'\]"):
        ProblemSet.from_problems([make_problem(1)], **{kind: {"p2": ["pass"]}})  # type: ignore[arg-type]

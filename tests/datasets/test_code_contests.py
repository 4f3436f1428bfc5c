import gzip
import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets.bundled import load as bundled
from codefeedback_env.datasets.code_contests import CodeContestsSource, load_code_contests
from codefeedback_env.datasets.code_contests_enums import difficulty_name, judge_name
from codefeedback_env.datasets.hidden_tests import clean_hidden_tests
from codefeedback_env.datasets.problem_set import PROBLEM_FILTERS, ProblemSet, WrongProgram
from codefeedback_env.datasets.rows import open_rows
from codefeedback_env.errors import DatasetError, DatasetNotFoundError
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Problem, TestCase
from codefeedback_env.verdicts import Verdict

MakeRow = Callable[..., dict[str, Any]]
WriteRows = Callable[..., Path]
Load = Callable[..., ProblemSet]


@pytest.fixture
def load(make_row: MakeRow, write_rows: WriteRows) -> Load:
    """Loads one row, changed by keyword arguments."""

    numbers = itertools.count()

    def load_row(**changes: Any) -> ProblemSet:
        return load_code_contests(write_rows([make_row(**changes)], f"{next(numbers)}.jsonl"))

    return load_row


def test_a_row_becomes_a_problem(load: Load) -> None:
    problem = load()[0]
    assert problem == Problem(
        id="1_A. Doubling",
        statement="Print twice the number.",
        public_tests=(TestCase("1\n", "2\n"),),
        private_tests=(TestCase("2\n", "4\n"), TestCase("3\n", "6\n")),
        generated_tests=(TestCase("4\n", "8\n"),),
        time_limit_s=2.5,
        memory_limit_mib=256,
        difficulty="a",
        tags=("math",),
    )
    assert problem.source == {
        "dataset": "code_contests",
        "split": "train",
        "name": "1_A. Doubling",
        "judge": "codeforces",
        "time_limit": "given",
        "memory_limit": "given",
    }


def test_a_row_has_a_summary(load: Load) -> None:
    summary = load().summaries[0]
    assert summary.id == "1_A. Doubling"
    assert (summary.difficulty, summary.rating, summary.tags) == ("a", 800, ("math",))
    assert summary.num_public_tests == 1
    assert summary.num_private_tests == 2
    assert summary.num_generated_tests == 1


def test_a_rating_of_zero_is_no_rating(load: Load) -> None:
    assert load(cf_rating=0).summaries[0].rating is None


def test_programs_come_in_languages_we_can_run_only(load: Load) -> None:
    problems = load()
    right = Submission("python3", "print(2 * int(input()))")
    assert problems.reference_programs("1_A. Doubling") == (right,)
    wrong = WrongProgram(Submission("python3", "print(input())"))
    assert problems.wrong_programs("1_A. Doubling") == (wrong,)


def test_lists_of_objects_are_read_like_parallel_lists(load: Load, make_row: MakeRow) -> None:
    objects = {
        field: [
            dict(zip(values, record, strict=True)) for record in zip(*values.values(), strict=True)
        ]
        for field, values in make_row().items()
        if isinstance(values, dict) and field != "time_limit"
    }
    assert objects["generated_tests"] == [{"input": "4\n", "output": "8\n"}]
    parallel, listed = load(), load(**objects)
    assert listed[0] == parallel[0]
    assert listed.summaries == parallel.summaries
    name = "1_A. Doubling"
    assert listed.reference_programs(name) == parallel.reference_programs(name)
    assert listed.wrong_programs(name) == parallel.wrong_programs(name)


def test_only_name_statement_and_two_pools_are_required(load: Load, make_row: MakeRow) -> None:
    needed = ("name", "description", "public_tests", "private_tests")
    problems = load(**dict.fromkeys(set(make_row()) - set(needed), ...))
    problem = problems[0]
    assert problem.private_tests
    assert (problem.difficulty, problem.time_limit_s, problem.memory_limit_mib) == (None,) * 3
    assert problem.source["judge"] == "unknown"
    assert problems.reference_programs(problem.id) == ()
    assert problems.wrong_programs(problem.id) == ()


@pytest.mark.parametrize(
    "null", [None, {"input": None, "output": None}, [], {"input": [], "output": []}]
)
def test_a_null_pool_is_empty(load: Load, null: Any) -> None:
    problems = load(private_tests=null)
    assert problems[0].private_tests == ()
    assert problems.summaries[0].num_private_tests == 0


@pytest.mark.parametrize(
    ("stored", "seconds"),
    [
        (None, None),
        (0, None),
        (0.0, None),
        ({"seconds": 0, "nanos": 0}, None),
        ({"seconds": None, "nanos": None}, None),
        ({"seconds": 2, "nanos": 0}, 2.0),
        ({"seconds": 2, "nanos": None}, 2.0),
        ({"nanos": 500000000}, 0.5),
        ({"seconds": 3}, 3.0),
        (1.5, 1.5),
        (4, 4.0),
    ],
)
def test_time_limits_in_every_shape(load: Load, stored: Any, seconds: float | None) -> None:
    problem = load(time_limit=stored)[0]
    assert problem.time_limit_s == seconds
    assert problem.source["time_limit"] == ("not given" if seconds is None else "given")


@pytest.mark.parametrize(
    ("stored", "mebibytes"),
    # 256000000 / 2**20 = 244.14, which is rounded up.
    [(None, None), (0, None), (67108864, 64), (256000000, 245), (1, 1)],
)
def test_memory_limits_are_rounded_up(
    load: Load, stored: int | None, mebibytes: int | None
) -> None:
    problem = load(memory_limit_bytes=stored)[0]
    assert problem.memory_limit_mib == mebibytes
    assert problem.source["memory_limit"] == ("given" if mebibytes else "not given")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        *enumerate(["unknown", "easy", "medium", "hard", "harder", "hardest", "external", "a"]),
        *[(8, "b"), (17, "k"), (18, "unknown"), (19, "l"), (20, "m"), (29, "v")],
        *[(30, "unknown"), (-1, "unknown")],
    ],
)
def test_difficulties_have_names(number: int, name: str) -> None:
    assert difficulty_name(number) == name


@pytest.mark.parametrize(
    ("number", "problem_name", "judge"),
    [
        (0, "x", "unknown"),
        (1, "brcktsrm", "codechef"),
        (2, "1_A. x", "codeforces"),
        (2, "p00011 x", "codeforces"),
        (3, "x", "hackerearth"),
        (4, "x", "codejam"),
        (5, "p02547 AtCoder Beginner Contest 179 - x", "atcoder"),
        (6, "p02534 x", "atcoder"),
        (7, "AtCoder Regular Contest 1 - x", "atcoder"),
        (6, "p00011 Amidakuji", "aizu"),
        (5, "p02388 X Cubic", "aizu"),
        (7, "p01140 Square Route", "aizu"),
        (5, "x", "atcoder"),
        (6, "x", "atcoder or aizu"),
        (7, "x", "aizu"),
        (99, "x", "unknown"),
    ],
)
def test_judges_have_names_and_the_problem_name_decides_between_atcoder_and_aizu(
    number: int, problem_name: str, judge: str
) -> None:
    assert judge_name(number, problem_name) == judge


def test_unknown_numbers_never_fail(load: Load) -> None:
    problems = load(
        source=77, difficulty=78, solutions={"language": [79, 3], "solution": ["a", "b"]}
    )
    assert problems[0].difficulty == "unknown"
    assert problems[0].source["judge"] == "unknown"
    assert problems.reference_programs(problems.ids[0]) == (Submission("python3", "b"),)


def test_flags_stand_in_the_source_where_they_are_set(load: Load) -> None:
    source = load(is_description_translated=True, input_file="in.txt", output_file="out.txt")[
        0
    ].source
    assert source["translated"] == "yes"
    assert source["input_file"] == "in.txt"
    assert source["output_file"] == "out.txt"


def test_a_checker_and_verdicts_may_be_added(load: Load) -> None:
    wrong = {"language": [3, 3], "solution": ["a", "b"], "verdict": ["runtime error", None]}
    problems = load(checker="any_order", incorrect_solutions=wrong)
    assert problems[0].checker == "any_order"
    assert problems.wrong_programs(problems.ids[0]) == (
        WrongProgram(Submission("python3", "a"), Verdict.RUNTIME_ERROR),
        WrongProgram(Submission("python3", "b"), None),
    )
    assert load(checker=None)[0].checker is None


def test_names_lose_outer_blanks_and_later_repetitions_get_a_number(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    names = ["x", "x ", "x (2)", "x", "y"]
    problems = load_code_contests(write_rows([make_row(name=name) for name in names]))
    assert problems.ids == ("x", "x (2)", "x (2) (2)", "x (3)", "y")
    assert [problem.id for problem in problems] == list(problems.ids)
    assert [problem.source["name"] for problem in problems] == names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ...}, "field 'name' is missing; it must be a string"),
        ({"name": " "}, "field 'name' is blank"),
        ({"name": 3}, "field 'name' is 3; it must be a string"),
        ({"description": None}, "field 'description' is null; it must be a string"),
        ({"public_tests": ...}, "field 'public_tests' is missing"),
        ({"private_tests": "2"}, "field 'private_tests' is '2'; it must be an object of lists"),
        (
            {"private_tests": {"input": ["1", "2"], "output": ["1"]}},
            "field 'private_tests': its lists differ in length: {'input': 2, 'output': 1}",
        ),
        (
            {"private_tests": {"input": ["1", "2"], "output": ["1", 2]}},
            "field 'private_tests': 'output' of entry 2 is 2, not str",
        ),
        ({"private_tests": {"output": ["1"]}}, "field 'private_tests' is {'output': ['1']}; it m"),
        (
            {"private_tests": {"input": ["1"]}},
            "field 'private_tests': 'output' is None; it must be a list",
        ),
        ({"generated_tests": ["1"]}, "field 'generated_tests': entry 1 is '1', not an object"),
        (
            {"generated_tests": [{"input": "1"}]},
            "field 'generated_tests': 'output' of entry 1 is None, not str",
        ),
        ({"difficulty": "A"}, "field 'difficulty' is 'A'; it must be a number"),
        ({"difficulty": 1.5}, "field 'difficulty' is 1.5; it must be a whole number"),
        ({"source": True}, "field 'source' is True; it must be a number"),
        ({"cf_tags": "math"}, "field 'cf_tags' is 'math'; it must be a list of strings"),
        ({"cf_tags": ["math", 1]}, "field 'cf_tags': entry 2 is 1, not a string"),
        ({"time_limit": "2 seconds"}, "field 'time_limit' is '2 seconds'; it must be a number"),
        ({"time_limit": -1}, "field 'time_limit' is -1 seconds; it must not be negative"),
        ({"time_limit": float("nan")}, "field 'time_limit' is nan; it must be finite"),
        ({"time_limit": {"seconds": "2"}}, "field 'time_limit.seconds' is '2'; it must be a num"),
        ({"memory_limit_bytes": -5}, "field 'memory_limit_bytes' is -5, less than 0"),
        ({"is_description_translated": "no"}, "'no'; it must be true or false"),
        ({"checker": 1}, "field 'checker' is 1; it must be a string"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(
    make_row: MakeRow, write_rows: WriteRows, changes: dict[str, Any], message: str
) -> None:
    path = write_rows([make_row(name="fine"), make_row(**changes)])
    with pytest.raises(DatasetError) as caught:
        list(load_code_contests(path))
    assert f"{path}, row 2, field" in str(caught.value)
    assert message in str(caught.value)


def test_an_unknown_verdict_is_refused_with_the_known_ones(load: Load) -> None:
    problems = load(incorrect_solutions=[{"language": 3, "solution": "a", "verdict": "WA"}])
    assert problems[0]
    with pytest.raises(
        DatasetError, match=r"row 1, field 'incorrect_solutions': unknown verdict 'WA'.*accepted"
    ):
        problems.wrong_programs(problems.ids[0])


def test_a_file_that_changed_since_it_was_opened_is_refused(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    problems = load_code_contests(write_rows([make_row(name="a"), make_row(name="b")]))
    pickled = pickle.dumps(problems)
    write_rows([make_row(name="b"), make_row(name="a")])
    with pytest.raises(DatasetError, match=r"row 1, field 'name' is 'b', but was 'a' before"):
        _ = pickle.loads(pickled)["a"]


def test_a_pickled_source_gives_the_same_problems(make_row: MakeRow, write_rows: WriteRows) -> None:
    path = write_rows([make_row(name="x"), make_row(name="x")], "rows.jsonl.gz")
    source = CodeContestsSource(open_rows(path, "train"), split="train")
    for again in (pickle.loads(pickle.dumps(source)), pickle.loads(pickle.dumps(source))):
        assert again.summaries == source.summaries
        assert again.problem(1) == source.problem(1)
        assert again.fingerprint == source.fingerprint


# Cleaning of the hidden tests


def tests(*pairs: str) -> tuple[TestCase, ...]:
    """``"1>2"`` is input 1 and output 2."""
    return tuple(TestCase(*pair.split(">")) for pair in pairs)


tests.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("public", "private", "generated", "left"),
    [
        (["1>1"], ["2>2"], ["3>3"], (["2>2"], ["3>3"])),
        # a public input
        (["1>1"], ["1>1", "2>2"], ["1>1"], (["2>2"], [])),
        # blanks at the ends of lines and blank lines at the end are no difference
        (["1 2\n3>1"], ["1 2 \n3\n\n>1\n", "2>2"], [], (["2>2"], [])),
        # blanks within a line and at its start are one
        (["1 2>1"], ["1  2>1", " 1 2>1"], [], (["1  2>1", " 1 2>1"], [])),
        # repeated within the hidden pools: the first stays
        ([], ["2>2", "3>3", "2>2\n"], ["4>4", "3>3"], (["2>2", "3>3"], ["4>4"])),
        # two outputs for one input: neither stays
        ([], ["2>2", "3>3", "2>5"], [], (["3>3"], [])),
        ([], ["2>2", "3>3"], ["2>5"], (["3>3"], [])),
        # all hidden inputs are public ones: they stay, once each
        (["1>1", "2>2"], ["1>1", "2>2"], ["1>1"], (["1>1", "2>2"], [])),
        # but not where no program passes both
        (["1>1", "2>2"], ["1>7", "2>2"], [], (["2>2"], [])),
        ([], ["1>1", "1>2"], [], ([], [])),
        (["1>1"], [], [], ([], [])),
    ],
)
def test_hidden_tests_are_cleaned(
    public: list[str], private: list[str], generated: list[str], left: tuple[list[str], list[str]]
) -> None:
    cleaned = clean_hidden_tests(tests(*public), tests(*private), tests(*generated))
    assert cleaned.private_tests == tests(*left[0])
    assert cleaned.generated_tests == tests(*left[1])
    assert cleaned.num_dropped == len(private) + len(generated) - len(left[0]) - len(left[1])


def test_two_outputs_are_no_conflict_where_a_checker_judges() -> None:
    cleaned = clean_hidden_tests(
        tests("1>1"), tests("1>5", "2>2", "2>3"), (), several_right_outputs=True
    )
    assert cleaned.private_tests == tests("2>2")


def test_dropped_tests_are_counted_in_the_source_and_still_in_the_summary(load: Load) -> None:
    hidden = {"input": ["1\n", "2\n", "2\n", "3\n"], "output": ["2\n", "4\n", "4\n", "6\n"]}
    problems = load(private_tests=hidden)
    assert problems[0].private_tests == (TestCase("2\n", "4\n"), TestCase("3\n", "6\n"))
    assert problems[0].source["dropped_tests"] == "2"
    assert problems.summaries[0].num_private_tests == 4


# Columns


def test_a_problem_is_read_without_its_programs_and_a_summary_without_outputs(
    make_row: MakeRow, tmp_path: Path
) -> None:
    asked: list[tuple[str, ...]] = []

    class Spy:
        fingerprint = "0"

        def __len__(self) -> int:
            return 1

        def place(self, index: int) -> str:
            return "spy"

        def read(self, index: int, columns: Any) -> dict[str, Any]:
            asked.append(tuple(columns))
            return make_row()

        def scan(self, columns: Any) -> Any:
            asked.append(tuple(columns))
            return iter([make_row()])

    problems = ProblemSet(CodeContestsSource(Spy(), split="train"))
    assert problems[0]
    assert [column for column in asked[0] if "tests" in column] == [
        "public_tests.input",
        "private_tests.input",
        "generated_tests.input",
    ]
    programs = {column for columns in asked for column in columns if "solutions" in column}
    assert programs <= {"solutions.language"}
    problems.reference_programs(problems.ids[0])
    assert asked[-1] == ("solutions",)


# Where the data is looked for


def test_without_data_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    with pytest.raises(DatasetNotFoundError) as caught:
        load_code_contests(split="valid")
    message = str(caught.value)
    for part in (
        "split 'valid'",
        "looked for valid.jsonl, valid.jsonl.gz and valid-*.parquet",
        str(tmp_path / "code_contests"),
        "codefeedback data fetch code_contests",
        "path=",
        'split="bundled" works offline',
    ):
        assert part in message


def test_data_is_found_in_the_directory_of_the_environment_variable(
    make_row: MakeRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    write_parquet(tmp_path / "code_contests" / "test-00000-of-00001.parquet", [make_row()])
    problems = load_code_contests(split="test")
    assert (problems.name, problems.split, len(problems)) == ("code_contests", "test", 1)


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    return path


# The bundled problems' file


def test_bundled_problems_are_read_in_the_same_format(
    make_row: MakeRow, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows([make_row(checker="any_order")], "problems.jsonl.gz")
    monkeypatch.setattr(bundled, "DATA_FILE", path)
    monkeypatch.setattr(bundled, "load_bundled", bundled.load_bundled.__wrapped__)
    for problems in (bundled.load_bundled(), load_code_contests(split="bundled")):
        assert (problems.name, problems.split) == ("bundled", "bundled")
        assert problems[0].checker == "any_order"
        assert problems[0].source["dataset"] == "bundled"


def test_a_missing_bundled_file_says_to_install_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "DATA_FILE", tmp_path / "problems.jsonl.gz")
    monkeypatch.setattr(bundled, "load_bundled", bundled.load_bundled.__wrapped__)
    with pytest.raises(DatasetNotFoundError, match="install it again"):
        bundled.load_bundled()


# Real rows


@pytest.fixture(scope="session")
def real_file(sample_data: Path) -> Path:
    return sample_data / "codecontests_test_sample.jsonl.gz"


@pytest.fixture(scope="session")
def real_problems(real_file: Path) -> ProblemSet:
    return load_code_contests(real_file)


def test_every_real_row_loads_with_the_documented_counts(real_problems: ProblemSet) -> None:
    summaries = real_problems.summaries
    assert len(real_problems) == 40
    # The numbers of the sample's README.
    assert sum(s.num_public_tests for s in summaries) == 83
    assert sum(s.num_private_tests for s in summaries) == 1989
    assert sum(s.num_generated_tests for s in summaries) == 600
    assert sum(bool(real_problems.reference_programs(i)) for i in real_problems.ids) == 31
    assert sum(bool(real_problems.wrong_programs(i)) for i in real_problems.ids) == 10


def test_real_problems_keep_hidden_tests_and_account_for_all_of_them(
    real_problems: ProblemSet,
) -> None:
    for problem, summary in zip(real_problems, real_problems.summaries, strict=True):
        hidden = problem.private_tests + problem.generated_tests
        dropped = int(problem.source.get("dropped_tests", 0))
        assert hidden
        assert len(hidden) + dropped == summary.num_hidden_tests
        assert len(problem.public_tests) == summary.num_public_tests
        assert problem.source["judge"] in ("codeforces", "codechef")
        assert (problem.time_limit_s, problem.memory_limit_mib) == (None, None)


@pytest.mark.parametrize("kind", ["parquet", "shards", "saved"])
def test_real_rows_give_equal_problems_however_they_are_stored(
    real_file: Path, real_problems: ProblemSet, kind: str, tmp_path: Path
) -> None:
    with gzip.open(real_file) as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        del row["_provenance"]  # ours, and of another shape in each row
    if kind == "parquet":
        path = write_parquet(tmp_path / "rows.parquet", rows)
    elif kind == "shards":
        path = tmp_path
        write_parquet(tmp_path / "train-00000-of-00002.parquet", rows[:13])
        write_parquet(tmp_path / "train-00001-of-00002.parquet", rows[13:])
    else:
        path = tmp_path / "saved"
        pytest.importorskip("datasets").Dataset.from_list(rows).save_to_disk(path)
    stored = load_code_contests(path)
    assert stored.summaries == real_problems.summaries
    assert list(stored) == list(real_problems)
    assert [p.source for p in stored] == [p.source for p in real_problems]
    for problem_id in stored.ids:
        assert stored.reference_programs(problem_id) == real_problems.reference_programs(problem_id)
        assert stored.wrong_programs(problem_id) == real_problems.wrong_programs(problem_id)


def test_the_papers_filter_keeps_real_rows_with_public_and_private_tests(
    real_problems: ProblemSet,
) -> None:
    # 1528_A and 1475_C from Codeforces and the two CodeChef rows have no private tests.
    assert len(real_problems.filter(PROBLEM_FILTERS["paper"])) == 36


# Files of one's own


def test_generated_tests_may_be_left_out(make_row: MakeRow, write_rows: WriteRows) -> None:
    row = make_row()
    del row["generated_tests"]
    problems = load_code_contests(write_rows([row]))
    (problem,) = problems
    assert (len(problem.private_tests), problem.generated_tests) == (2, ())
    assert problems.summaries[0].num_generated_tests == 0


def test_a_file_may_be_called_something_else_than_code_contests(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    problems = load_code_contests(write_rows([make_row()]), "custom", name="custom")
    assert problems.name == "custom"
    assert problems[problems.ids[0]].source["dataset"] == "custom"

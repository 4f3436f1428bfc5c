import gymnasium
import pytest

from codefeedback_env import ConfigError, ProblemSet
from codefeedback_env.data_quality.problem_report import start_problem
from codefeedback_env.datasets.exclusions.lists import (
    _SHIPPED,
    Exclusion,
    ExclusionList,
    format_exclusions,
    known_bad,
    parse_exclusions,
)
from codefeedback_env.make import DATASETS, load_problems, make_rules

LISTED = ExclusionList(
    dataset="code_contests",
    entries=(
        Exclusion(problem_id="a", reasons=("no tests", "interactive"), evidence='"x"\n\x7f\\ é'),
        Exclusion(problem_id="b", reasons=("no tests",), evidence="", split="train"),
    ),
)
KNOWN = {entry.problem_id for entry in known_bad("code_contests").entries}


@pytest.fixture
def rows(make_row, write_rows):
    """A file with problems a, b and c, and one that the shipped list names."""
    return write_rows([make_row(name=name) for name in ("a", "b", "c", min(KNOWN))])


@pytest.fixture
def list_file(tmp_path):
    path = tmp_path / "exclusions.toml"
    path.write_text(format_exclusions(LISTED, ["a comment"]), encoding="utf-8")
    return path


def test_what_is_written_is_read_again():
    assert parse_exclusions(format_exclusions(LISTED), "x.toml") == LISTED


def test_known_bad_problems_are_left_out_by_default_and_none_keeps_everything(rows):
    assert load_problems("code_contests", path=rows).ids == ("a", "b", "c")
    assert load_problems("code_contests", path=rows, exclude=None).ids == (
        "a",
        "b",
        "c",
        min(KNOWN),
    )


def test_a_list_in_a_file_applies_to_the_splits_it_names(rows, list_file):
    assert load_problems("code_contests", path=rows, exclude=list_file).ids == (
        "b",
        "c",
        min(KNOWN),
    )
    as_train = load_problems("code_contests", path=rows, split="train", exclude=str(list_file))
    assert as_train.ids == ("c", min(KNOWN))


def test_ids_are_left_out_and_unknown_ones_are_an_error(rows):
    assert load_problems("code_contests", path=rows, exclude=["a", "c"]).ids == ("b", min(KNOWN))
    with pytest.raises(ConfigError, match=r"1 problems that are not in code_contests .*'z'"):
        load_problems("code_contests", path=rows, exclude={"a", "z"})


def test_the_number_of_excluded_problems_is_told_and_survives_filter_and_shard(rows):
    problems = load_problems("code_contests", path=rows)
    assert problems.num_excluded == 1
    assert "3 problems, 1 excluded, " in repr(problems)
    assert problems.filter(lambda s: s.id != "a").shard(0, 2).num_excluded == 1
    everything = load_problems("code_contests", path=rows, exclude=None)
    assert everything.num_excluded == 0
    assert "excluded" not in repr(everything)
    assert everything.fingerprint != problems.fingerprint
    assert everything.data_fingerprint == problems.data_fingerprint


def test_the_option_reaches_single_and_vector_environments(rows):
    env = gymnasium.make("CodeContests-v0", path=rows, exclude=["a"])
    assert env.unwrapped.rules.problems.ids == ("b", "c", min(KNOWN))
    envs = gymnasium.make_vec("CodeContests-v0", num_envs=1, path=rows, exclude=None)
    assert "a" in envs.unwrapped.rules.problems.ids
    env.close()
    envs.close()


def test_a_problem_set_is_left_as_it_is_unless_something_is_named(rows):
    problems = load_problems("code_contests", path=rows, exclude=None)
    assert load_problems(problems) is problems
    assert make_rules(dataset=problems).problems is problems
    assert load_problems(problems, exclude=["a"]).ids == ("b", "c", min(KNOWN))


def test_a_list_of_another_dataset_is_an_error(add_set, list_file):
    with pytest.raises(ConfigError, match=r"lists problems of 'code_contests'.*of 'custom'"):
        load_problems(add_set, exclude=list_file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset = 3", "must have dataset"),
        ("[[problem]]", "must have dataset"),
        ("dataset = ", "is not valid TOML"),
        ('dataset = "x"\n[[problem]]\nid = "a"', "problem 1: needs the strings"),
        ('dataset = "x"\n[[problem]]\nid = "a"\nevidence = ""\nreasons = []', "problem 1"),
    ],
)
def test_a_file_that_is_no_list_is_an_error(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_exclusions(text, "x.toml")


def test_a_missing_file_is_an_error_that_names_the_choices(rows, tmp_path):
    with pytest.raises(ConfigError, match="'known-bad', None, the path"):
        load_problems("code_contests", path=rows, exclude=tmp_path / "nothing.toml")


def test_shipped_lists_are_of_known_datasets_and_say_why():
    names = [file.name for file in _SHIPPED.iterdir() if file.name.endswith(".toml")]
    assert names
    for name in names:
        dataset = name.removesuffix(".toml")
        listed = known_bad(dataset)
        assert dataset in DATASETS
        assert listed.dataset == dataset
        assert listed.entries
        assert len({entry.problem_id for entry in listed.entries}) == len(listed.entries)
        assert all(entry.evidence for entry in listed.entries)


def test_a_dataset_without_a_list_loses_nothing(add_set):
    assert known_bad("custom").entries == ()
    assert known_bad("../code_contests").entries == ()
    assert isinstance(add_set, ProblemSet)


@pytest.mark.sandbox
def test_shipped_entries_hold_on_real_rows(judge, sample_data):
    problems = load_problems(
        "code_contests", path=sample_data / "codecontests_test_sample.jsonl.gz", exclude=None
    )
    listed = [e for e in known_bad("code_contests").entries if e.problem_id in problems]
    assert listed
    for entry in listed:
        found = start_problem(problems, entry.problem_id, judge, None)().findings
        excluding = [finding for finding in found if finding.flag.excludes]
        assert entry.reasons == tuple(finding.flag.value for finding in excluding)
        assert entry.evidence == "; ".join(finding.evidence for finding in excluding)


@pytest.mark.sandbox
def test_a_program_rejected_for_the_case_of_its_output_proves_nothing_about_tests(
    judge, sample_data
):
    problems = load_problems(
        "code_contests", path=sample_data / "codecontests_test_sample.jsonl.gz", exclude=None
    )
    # It prints Yes and No where the statement has YES and NO, and is right otherwise.
    found = start_problem(problems, "1041_E. Tree Reconstruction", judge, None)().findings
    assert "wrong program that is a right one" in [finding.flag for finding in found]
    assert not [finding for finding in found if finding.flag.excludes]

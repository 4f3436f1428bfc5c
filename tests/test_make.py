"""Options of the environments: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import gymnasium
import pytest
from examples import BrokenJudge, add_problem

from codefeedback_env import (
    ConfigError,
    FractionPassed,
    PaperFeedback,
    Problem,
    ProblemSet,
    RewardConfig,
    UnknownNameError,
    load_problems,
)
from codefeedback_env.make import make_env, make_judge, make_rules, make_vector_env


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": 3}, "reward=3 must be a name, or an object that has needs_all_tests, final"),
        ({"reward": RewardConfig}, "reward=RewardConfig is a class; give an object of it"),
        ({"reward": lambda reports, passed: 1.0}, "it lacks needs_all_tests, final, not_final"),
        ({"feedback_format": 3}, "feedback_format=3 must be a name, or an object that has prompt"),
        ({"feedback_format": PaperFeedback}, r"is a class; .*such as PaperFeedback\(\)"),
        ({"sandbox": None}, "sandbox=None must be a name, or an object that has submit, judge"),
        ({"sandbox": 4}, "sandbox=4 must be a name"),
        ({"sandbox": BrokenJudge}, "sandbox=BrokenJudge is a class"),
        ({"turn_limit": "3"}, "turn_limit='3' must be a whole number"),
        ({"turn_limit": 2.5}, r"turn_limit=2.5 must be a whole number"),
        ({"turn_limit": True}, "turn_limit=True must be a whole number"),
        ({"num_workers": "2"}, "num_workers='2' must be a whole number, or None"),
        ({"max_private_tests": 1.0}, "max_private_tests=1.0 must be a whole number"),
        ({"time_factor": "1"}, "time_factor='1' must be a number"),
        ({"time_factor": float("inf")}, "time_factor=inf must be positive and finite"),
        ({"time_factor": float("nan")}, "time_factor=nan must be positive and finite"),
        ({"shard": 3}, r"shard=3 is no shard; give \(i, n\)"),
        ({"shard": (0, 1, 2)}, r"shard=\(0, 1, 2\) is no shard"),
        ({"shard": ("0", "2")}, r"is no shard"),
        ({"python": 3}, "python=3 must be the path of an interpreter, or None"),
        ({"feedback": None}, "feedback=None must be a name"),
        ({"judging": ["strict"]}, r"judging=\['strict'\] must be a name"),
        ({"checker": 3}, "checker=3 must be a name or a function"),
        ({"problem_filter": 3}, "problem_filter=3 must be a name or a function"),
        ({"exclude": 3}, "exclude=3 must be 'known-bad', None, a path, or ids"),
        ({"exclude": [3]}, r"exclude=\[3\] must be"),
        ({"path": 3}, "path=3 must be a path"),
        ({"split": 3}, "split=3 must be the name of a split"),
    ],
)
@pytest.mark.parametrize("make", [make_env, lambda **options: make_vector_env(2, **options)])
def test_an_option_of_a_type_that_cannot_work_is_refused(make, options, message):
    with pytest.raises(ConfigError, match=message):
        make(**{"dataset": "bundled", **options})


@pytest.mark.parametrize("num_envs", ["2", 2.0, True, None])
def test_the_number_of_environments_is_a_whole_number(num_envs):
    with pytest.raises(ConfigError, match=r"num_envs=.* must be a whole number"):
        make_vector_env(num_envs, dataset="bundled")


def test_objects_and_names_are_still_taken():
    for reward in ("fraction", FractionPassed()):
        assert make_rules(dataset="bundled", reward=reward).reward == FractionPassed()
    text = PaperFeedback(truncate_input_chars=3)
    assert make_rules(dataset="bundled", feedback_format=text).feedback_format is text
    judge = BrokenJudge(0)
    assert make_judge(sandbox=judge) is judge
    assert len(make_rules(dataset="bundled", shard=[1, 60]).problems) == 1


def test_the_interpreter_may_be_a_path():
    by_path, by_name = (make_judge(python=python) for python in (Path("/x/python"), "/x/python"))
    assert by_path.settings == by_name.settings


@pytest.mark.parametrize(
    ("name", "hint"),
    [("turns", ""), ("turn_limits", "did you mean 'turn_limit'"), ("num_worker", "'num_workers'")],
)
@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_an_unknown_option_is_answered_with_the_known_ones(make, name, hint):
    with pytest.raises(UnknownNameError, match=f"unknown option '{name}'.*{hint}") as caught:
        make("CodeContests-v0", **{name: 3})
    for known in ("checker", "dataset", "turn_limit", "sandbox", "render_mode"):
        assert known in str(caught.value)


def test_only_the_vector_environment_knows_its_own_options():
    with pytest.raises(UnknownNameError, match="unknown option 'autoreset_mode'"):
        make_env(dataset="bundled", autoreset_mode="Disabled")


@pytest.mark.parametrize("options", [{"path": "x.jsonl"}, {"split": "train"}])
def test_a_place_or_a_split_beside_problems_is_refused(add_set, options):
    for problems in (add_set, list(add_set)):
        with pytest.raises(ConfigError, match="beside problems, which are of the split 'custom'"):
            gymnasium.make("CodeFeedback-v0", dataset=problems, **options)
        with pytest.raises(ConfigError, match="beside problems"):
            load_problems(problems, **options)


def test_problems_in_an_id_with_a_split_of_its_own(add_set):
    env = gymnasium.make("CodeContests-v0", dataset=add_set)
    assert env.unwrapped.rules.problems.ids == add_set.ids
    assert load_problems(add_set, split="custom") is add_set
    with pytest.raises(ConfigError, match=r"split='test' beside problems.*CodeFeedback-v0"):
        gymnasium.make("APPS-v0", dataset=add_set)


def test_two_places_are_refused(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("", "utf-8")
    for dataset in (file, str(file)):
        with pytest.raises(ConfigError, match="are two places"):
            load_problems(dataset, path=tmp_path)


def test_a_list_of_problems_is_a_dataset():
    env = gymnasium.make("CodeFeedback-v0", dataset=[add_problem("a"), add_problem("b")])
    assert env.unwrapped.rules.problems.ids == ("a", "b")
    assert load_problems((add_problem("a"),)).ids == ("a",)


class Dataset:
    """Rows of another library."""

    def __iter__(self) -> Any:
        return iter([{"name": "a"}])


@pytest.mark.parametrize(
    "dataset", [Dataset(), {"train": []}, [{"name": "a"}], 3, [add_problem, 1]]
)
def test_data_of_another_library_is_told_the_way(dataset):
    with pytest.raises(ConfigError, match=r"ds.save_to_disk\(DIR\) and path=DIR") as caught:
        gymnasium.make("CodeFeedback-v0", dataset=dataset)
    assert f"dataset is a {type(dataset).__module__}.{type(dataset).__qualname__}" in str(
        caught.value
    )
    assert "ProblemSet.from_problems(...)" in str(caught.value)


def test_ids_are_looked_up_and_never_positions():
    problems = ProblemSet.from_problems(
        [Problem(id=i, statement="s", public_tests=add_problem().public_tests) for i in "210"]
    )
    env = make_env(dataset=problems)
    for i in "012":
        assert env.reset(options={"problem": i})[1]["problem_id"] == i

"""The tasks of the learning benchmark hide what they should, and nothing else gives it away."""

import itertools
import json
import random

import gymnasium
import pytest

from benchmarks.learning.tasks import FAMILIES, Program, Task, fits, tasks, write_tasks
from codefeedback_env import load_problems

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def some_tasks(family, number=200):
    return list(itertools.islice(tasks(family, random.Random(0)), number))


@every_family
def test_public_tests_together_tell_the_hidden_program(family):
    for task in some_tasks(family):
        known = [p for p in family.programs if fits(p, task.hidden, task.public_inputs)]
        assert known == [task.hidden]


def test_no_single_test_of_any_tells_the_hidden_program():
    family = FAMILIES["any"]
    for task in some_tasks(family):
        assert len(task.public_inputs) == 2
        for number in task.public_inputs:
            assert sum(fits(p, task.hidden, [number]) for p in family.programs) > 1


@every_family
def test_hidden_inputs_are_not_shown_and_statement_names_the_family_only(family):
    for task in some_tasks(family):
        assert not set(task.public_inputs) & set(task.private_inputs)
        assert task.problem("x").statement == family.name


@every_family
def test_every_hidden_program_comes_up_equally_often(family):
    number = 3 * len(family.programs)
    counts = [0] * len(family.programs)
    for task in some_tasks(family, number):
        counts[family.programs.index(task.hidden)] += 1
    assert counts == [3] * len(family.programs)


@every_family
def test_written_problems_load_and_no_task_is_in_two_splits(family, tmp_path):
    sizes = {"train": 40, "valid": 20, "heldout": 20}
    paths = write_tasks(family, tmp_path, sizes, seed=3)
    loaded = {split: load_problems(path=path) for split, path in paths.items()}
    assert {split: len(problems) for split, problems in loaded.items()} == sizes
    tests = [
        (problem.public_tests, problem.private_tests)
        for problems in loaded.values()
        for problem in (problems[name] for name in problems.ids)
    ]
    assert len(set(tests)) == len(tests)
    for name in loaded["train"].ids:
        assert loaded["train"].wrong_programs(name)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("operation", "constant"), [("c", 7), ("x+c", 3), ("x-c", 9), ("x*c", 5), ("c-x", 2)]
)
def test_programs_print_what_they_are_said_to_print(operation, constant, tmp_path):
    """In the real sandbox: the hidden program passes, the next constant fails."""
    family = next(f for f in FAMILIES.values() if Program(operation, constant) in f.programs)
    task = next(t for t in some_tasks(family) if t.hidden == Program(operation, constant))
    path = tmp_path / "problems.jsonl"
    _write([task], path)
    env = gymnasium.make("CodeFeedback-v0", path=path)
    try:
        env.reset()
        wrong = Program(operation, constant - 1)
        feedback, reward, terminated, _, _ = env.step(wrong.reply)
        number = task.public_inputs[0]
        assert f"Expected output `{task.hidden.output(number)}\n`" in feedback
        assert f"but got `{wrong.output(number)}\n`" in feedback
        assert (reward, terminated) == (0, False)
        _, reward, terminated, _, info = env.step(task.hidden.reply)
        assert (reward, terminated, info["private_passed"]) == (1, True, True)
    finally:
        env.close()


def _write(chosen: list[Task], path):
    rows = [json.dumps(task.row(str(number))) for number, task in enumerate(chosen)]
    path.write_text("\n".join(rows) + "\n")

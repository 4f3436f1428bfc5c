"""Families of tiny tasks in which only feedback tells what is asked for.

A task hides a one-line program. Its statement names the family and nothing else, so the first reply
is a guess, and the failing public tests are the only source of what is missing.

| family | hidden program | public tests | three blind guesses at best |
| --- | --- | --- | --- |
| ``const`` | ``print(c)``, c in 0..9 | 1 | 3/10 |
| ``add`` | ``print(int(input())+c)``, c in 0..9 | 1 | 3/10 |
| ``any`` | input + c, - c or c - input, c in 1..9; input * c, c in 1..5 | 2 | 3/32 |

In ``any`` each public test fits at least two hidden programs, and the two tests together fit one: a
model has to put both together.
"""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codefeedback_env import Problem, TestCase

INPUTS = range(1, 10)
NUM_PRIVATE_TESTS = 4
MAX_WRONG_PROGRAMS = 12
_PYTHON3 = 3  # number of the language in CodeContests' rows


@dataclass(frozen=True, slots=True)
class Program:
    """A one-line program: the operation, and the digit in it."""

    operation: str
    """``c``, or ``x+c``, ``x-c``, ``x*c``, ``c-x`` with the input x."""

    constant: int

    @property
    def source_code(self) -> str:
        """As Python."""
        expression = self.operation.replace("c", str(self.constant)).replace("x", "int(input())")
        return f"print({expression})"

    @property
    def reply(self) -> str:
        """As the message of an agent, in the format that the prompt asks for."""
        return f"```python\n{self.source_code}\n```"

    def output(self, number: int) -> int:
        """What it prints for this input."""
        match self.operation:
            case "x+c":
                return number + self.constant
            case "x-c":
                return number - self.constant
            case "x*c":
                return number * self.constant
            case "c-x":
                return self.constant - number
            case _:
                return self.constant


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks that differ in the hidden program only."""

    name: str
    programs: tuple[Program, ...]
    num_public_tests: int

    @property
    def blind_ceiling(self) -> float:
        """Solve rate of three different guesses that use no feedback."""
        return 3 / len(self.programs)


FAMILIES = {
    family.name: family
    for family in (
        Family("const", tuple(Program("c", c) for c in range(10)), 1),
        Family("add", tuple(Program("x+c", c) for c in range(10)), 1),
        Family(
            "any",
            # With a factor above 5 fewer than two inputs leave room for another program.
            tuple(
                Program(operation, c)
                for operation in ("x+c", "x-c", "c-x", "x*c")
                for c in range(1, 6 if operation == "x*c" else 10)
            ),
            2,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Task:
    """A hidden program, and the inputs it is asked about."""

    family: Family
    hidden: Program
    public_inputs: tuple[int, ...]
    private_inputs: tuple[int, ...]

    def problem(self, name: str) -> Problem:
        """As the environment has it."""
        return Problem(
            id=name,
            statement=self.family.name,
            public_tests=self._tests(self.public_inputs),
            private_tests=self._tests(self.private_inputs),
        )

    def row(self, name: str) -> dict[str, Any]:
        """As a row in the format of CodeContests."""
        problem = self.problem(name)
        return {
            "name": name,
            "description": problem.statement,
            "public_tests": _columns(problem.public_tests),
            "private_tests": _columns(problem.private_tests),
            "generated_tests": _columns(()),
            "solutions": _programs([self.hidden]),
            "incorrect_solutions": _programs(self._wrong_programs()),
        }

    def _tests(self, inputs: Sequence[int]) -> tuple[TestCase, ...]:
        return tuple(TestCase(f"{x}\n", f"{self.hidden.output(x)}\n") for x in inputs)

    def _wrong_programs(self) -> list[Program]:
        """Others of the family that fail a public test."""
        wrong = [p for p in self.family.programs if not fits(p, self.hidden, self.public_inputs)]
        step = -(-len(wrong) // MAX_WRONG_PROGRAMS)
        return wrong[::step]


def fits(program: Program, hidden: Program, inputs: Sequence[int]) -> bool:
    """Whether tests on these inputs cannot tell the two programs apart."""
    return all(program.output(x) == hidden.output(x) for x in inputs)


def tasks(family: Family, rng: random.Random) -> Iterator[Task]:
    """Different tasks, without end; every hidden program comes up equally often."""
    seen = set()
    for hidden in itertools.cycle(family.programs):
        while True:
            public = rng.choice(_public_inputs(family, hidden))
            rest = [x for x in INPUTS if x not in public]
            private = tuple(sorted(rng.sample(rest, NUM_PRIVATE_TESTS)))
            task = Task(family, hidden, public, private)
            if task not in seen:
                break
        seen.add(task)
        yield task


def write_tasks(
    family: Family, folder: Path, sizes: Mapping[str, int], *, seed: int
) -> dict[str, Path]:
    """Write a file of problems for each split; no task is in two.

    Args:
        family: what they are like.
        folder: made if it does not exist.
        sizes: how many problems each split has.
        seed: of the choice of inputs.

    Returns:
        The path of each split, for the option ``path`` of the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = tasks(family, random.Random(f"{family.name} {seed}"))
    paths = {split: folder / f"{split}.jsonl" for split in sizes}
    for split, path in paths.items():
        rows = (
            task.row(f"{family.name}-{split}-{number:04}")
            for number, task in enumerate(itertools.islice(source, sizes[split]))
        )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return paths


def _public_inputs(family: Family, hidden: Program) -> list[tuple[int, ...]]:
    """Inputs for the public tests that fit the table above."""

    def num_fitting(inputs: Sequence[int]) -> int:
        return sum(fits(program, hidden, inputs) for program in family.programs)

    if family.num_public_tests == 1:
        return [(x,) for x in INPUTS]
    ambiguous = [x for x in INPUTS if num_fitting([x]) > 1]
    pairs = itertools.permutations(ambiguous, family.num_public_tests)
    return [pair for pair in pairs if num_fitting(pair) == 1]


def _columns(tests: Sequence[TestCase]) -> dict[str, list[str]]:
    return {
        "input": [test.stdin for test in tests],
        "output": [test.expected_stdout for test in tests],
    }


def _programs(programs: Sequence[Program]) -> dict[str, list[Any]]:
    return {
        "language": [_PYTHON3] * len(programs),
        "solution": [program.source_code for program in programs],
    }

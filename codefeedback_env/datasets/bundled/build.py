"""Build ``problems.jsonl.gz`` from the problem modules.

    python -m codefeedback_env.datasets.bundled.build [--check]

Expected outputs come from the first reference program of a problem, run here without a sandbox: the
programs are our own. A row has the fields of a row of CodeContests on the Hugging Face hub, and
``checker``. The bytes depend on the modules only.
"""

import argparse
import gzip
import importlib
import json
import pkgutil
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from codefeedback_env.datasets.bundled import problems
from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, Level
from codefeedback_env.errors import ConfigError
from codefeedback_env.problem import TestCase
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS

DATA_PATH = Path(__file__).with_name("problems.jsonl.gz")

# Codes of CodeContests' enumerations: 3 stands for Python 3, and difficulty counts from EASY = 1.
_PYTHON3 = 3
_DIFFICULTY = {level: code for code, level in enumerate(get_args(Level), start=1)}

_PROGRAM_TIMEOUT_S = 60


def authored_problems() -> list[AuthoredProblem]:
    """The ``PROBLEM`` of every module in ``problems/``, easiest first, then by id."""
    authored: list[AuthoredProblem] = []
    for module_info in pkgutil.iter_modules(problems.__path__):
        problem = importlib.import_module(f"{problems.__name__}.{module_info.name}").PROBLEM
        if problem.id.replace("-", "_") != module_info.name:
            raise ConfigError(f"module {module_info.name} holds {problem.id!r}; rename either.")
        authored.append(problem)
    return sorted(authored, key=lambda problem: (_DIFFICULTY[problem.level], problem.id))


def hidden_inputs(problem: AuthoredProblem) -> list[str]:
    """The hidden inputs in order, without repetitions and without public inputs."""
    inputs = problem.hidden_inputs(random.Random(problem.id))
    fresh = dict.fromkeys(inputs)
    for public_input in problem.public_inputs:
        fresh.pop(public_input, None)
    return list(fresh)


def tests_of(problem: AuthoredProblem) -> tuple[list[TestCase], list[TestCase]]:
    """Public and hidden tests, with the outputs on which all reference programs agree.

    Raises:
        ConfigError: an input has no final newline, a reference program fails, or two disagree.
    """
    public = [_test(problem, stdin) for stdin in problem.public_inputs]
    hidden = [_test(problem, stdin) for stdin in hidden_inputs(problem)]
    return public, hidden


def full_statement(problem: AuthoredProblem, public_tests: Sequence[TestCase]) -> str:
    """The statement with the examples appended the way CodeContests writes them."""
    paragraphs = [problem.statement.strip(), "Examples" if len(public_tests) > 1 else "Example"]
    for test in public_tests:
        paragraphs += [
            "Input",
            test.stdin.removesuffix("\n"),
            "Output",
            test.expected_stdout.removesuffix("\n"),
        ]
    return "\n\n".join(paragraphs) + "\n"


def row_of(problem: AuthoredProblem) -> dict[str, Any]:
    """One row of the data file."""
    public, hidden = tests_of(problem)
    num_private = (len(hidden) + 1) // 2
    whole_seconds = int(problem.time_limit_s)
    return {
        "name": problem.id,
        "description": full_statement(problem, public),
        "public_tests": _columns(public),
        "private_tests": _columns(hidden[:num_private]),
        "generated_tests": _columns(hidden[num_private:]),
        "source": 0,
        "difficulty": _DIFFICULTY[problem.level],
        "solutions": {
            "language": [_PYTHON3] * len(problem.reference),
            "solution": list(problem.reference),
        },
        "incorrect_solutions": {
            "language": [_PYTHON3] * len(problem.wrong),
            "solution": [program.source for program in problem.wrong],
            "verdict": [program.verdict.value for program in problem.wrong],
        },
        "cf_contest_id": 0,
        "cf_index": "",
        "cf_points": 0.0,
        "cf_rating": 0,
        "cf_tags": list(problem.tags),
        "is_description_translated": False,
        "untranslated_description": "",
        "time_limit": {
            "seconds": whole_seconds,
            "nanos": round((problem.time_limit_s - whole_seconds) * 1e9),
        },
        "memory_limit_bytes": problem.memory_limit_mib * 2**20,
        "input_file": "",
        "output_file": "",
        "checker": problem.checker,
    }


def packed(rows: Iterable[dict[str, Any]]) -> bytes:
    """The gzipped JSON lines, the same bytes for the same rows."""
    lines = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
    return gzip.compress(lines.encode(), compresslevel=9, mtime=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the data file, or with ``--check`` compare it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m codefeedback_env.datasets.bundled.build",
        description="Build problems.jsonl.gz from the problem modules.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the file is out of date"
    )
    check_only: bool = parser.parse_args(arguments).check

    rows = []
    for problem in authored_problems():
        row = row_of(problem)
        num_tests = [
            len(row[f"{pool}_tests"]["input"]) for pool in ("public", "private", "generated")
        ]
        print(
            f"{problem.level:8}{problem.id:28}{num_tests[0]:3} public {sum(num_tests[1:]):3} hidden"
            f"{len(packed([row])):8} bytes",
            flush=True,
        )
        rows.append(row)
    data = packed(rows)

    if check_only:
        up_to_date = DATA_PATH.exists() and DATA_PATH.read_bytes() == data
        print(f"{DATA_PATH.name} is {'up to date' if up_to_date else 'out of date: run build'}")
        return 0 if up_to_date else 1
    DATA_PATH.write_bytes(data)
    print(f"{DATA_PATH.name}: {len(rows)} problems, {len(data)} bytes")
    return 0


def _test(problem: AuthoredProblem, stdin: str) -> TestCase:
    if not stdin.endswith("\n"):
        raise ConfigError(f"{problem.id}: input {stdin[:60]!r} lacks its final newline; add it.")
    expected, *others = (_output(problem.id, source, stdin) for source in problem.reference)
    for position, output in enumerate(others, start=1):
        if not _agrees(problem, stdin, expected, output):
            raise ConfigError(
                f"{problem.id}: reference program {position} prints {output[:60]!r} for "
                f"{stdin[:60]!r}, the first one {expected[:60]!r}; correct one of them."
            )
    if problem.checker is not None and not _agrees(problem, stdin, expected, expected):
        raise ConfigError(
            f"{problem.id}: checker {problem.checker!r} rejects the stored answer "
            f"{expected[:60]!r} for {stdin[:60]!r}; correct either."
        )
    return TestCase(stdin, expected)


def _output(problem_id: str, source: str, stdin: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-I", "-c", source],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=_PROGRAM_TIMEOUT_S,
        check=False,
    )
    if finished.returncode != 0:
        raise ConfigError(
            f"{problem_id}: a reference program fails for {stdin[:60]!r}: "
            f"{finished.stderr[-300:].strip()}"
        )
    return finished.stdout


def _agrees(problem: AuthoredProblem, stdin: str, expected: str, output: str) -> bool:
    if problem.checker is not None:
        check = PROBLEM_CHECKERS[problem.checker]
        return check(stdin.encode(), expected.encode(), output.encode())
    expected_tokens, tokens = expected.split(), output.split()
    return len(tokens) == len(expected_tokens) and all(
        token == wanted or _close(token, wanted)
        for token, wanted in zip(tokens, expected_tokens, strict=True)
    )


def _close(token: str, wanted: str) -> bool:
    # A hundredth of the tolerance of the judge, so that the stored answer is sharp.
    return "." in wanted and abs(float(token) - float(wanted)) <= 1e-8 * max(
        1.0, abs(float(wanted))
    )


def _columns(tests: Sequence[TestCase]) -> dict[str, list[str]]:
    return {
        "input": [test.stdin for test in tests],
        "output": [test.expected_stdout for test in tests],
    }


if __name__ == "__main__":
    sys.exit(main())

"""HumanEval (Chen et al. 2021, arXiv:2107.03374) and HumanEval+ (Liu et al. 2023)."""

from pathlib import Path

from codefeedback_env.datasets.assert_tests import assert_test, split_check
from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.plus_inputs import plus_inputs
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.reference_tests import joint_tests, reference_setup, single_tests
from codefeedback_env.datasets.row_source import RowFormat, RowSource, find_rows
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

_CONDITIONS = {"find_zero": "abs(reference_names['poly'](*arguments, result)) <= 1e-4"}
"""Of functions with several right results; the rest must give the reference's."""


def load_human_eval(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The 164 problems of HumanEval.

    Args:
        path: a file or directory, see ``rows.ACCEPTED``; None for ``data_directory("human_eval")``.
        split: chooses the file in a directory; the dataset has ``test`` only.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    return ProblemSet(RowSource(find_rows(HUMAN_EVAL, path, split), HUMAN_EVAL, split=split))


def load_human_eval_plus(path: str | Path | None = None, split: str = "test") -> ProblemSet:
    """The problems of HumanEval+, which are those of HumanEval with more tests.

    Args:
        path: as for ``load_human_eval``; None for ``data_directory("human_eval_plus")``.
        split: as for ``load_human_eval``.

    Raises:
        DatasetNotFoundError: there is no data; the message says how to get it.
        DatasetError: the data cannot be read.
    """
    rows = find_rows(HUMAN_EVAL_PLUS, path, split)
    return ProblemSet(RowSource(rows, HUMAN_EVAL_PLUS, split=split))


def read_problem(fields: Fields) -> Problem:
    """The problem in a row.

    The asserts in ``test`` are the public tests, one by one; ``test`` as a whole is the private
    one. Without ``test`` the tests compare with the reference program: each of ``base_input`` is
    public, all together are private. ``plus_input`` gives the generated tests.
    """
    prompt = fields.required_text("prompt")
    name = fields.required_text("entry_point")
    test = fields.text("test") or ""
    base, plus = plus_inputs(fields, "base_input"), plus_inputs(fields, "plus_input")
    if not test.strip() and not base:
        raise fields.error("test", "is missing, and there is no base_input either.")
    setup = ""
    if plus or not test.strip():
        solution = fields.required_text("canonical_solution")
        setup = reference_setup(
            prompt + solution, name, fields.number("atol") or 0, _CONDITIONS.get(name)
        )
    if test.strip():
        try:
            public: tuple[TestCase, ...] = split_check(test, name)
        except ValueError as error:
            raise fields.error("test", f"cannot be taken apart: {error}.") from error
        private: tuple[TestCase, ...] = (assert_test(f"{test.rstrip()}\n\ncheck({name})\n"),)
    else:
        public, private = single_tests(name, base), joint_tests(name, base)
    return Problem(
        id=fields.required_text("task_id"),
        statement=prompt,
        public_tests=public,
        private_tests=private,
        generated_tests=joint_tests(name, plus),
        function=FunctionTask(
            name=name,
            style=FunctionStyle.ASSERTS,
            test_setup=setup,
            reply_prefix=prompt,
        ),
        source={"time_limit": "not given", "memory_limit": "not given"},
    )


def read_references(fields: Fields) -> tuple[str, ...]:
    """The reference program of a row: prompt and solution."""
    return (fields.required_text("prompt") + fields.required_text("canonical_solution"),)


_COLUMNS = ("task_id", "prompt", "entry_point", "test")
_PROGRAM_COLUMNS = ("prompt", "canonical_solution")

HUMAN_EVAL = RowFormat(
    dataset="human_eval",
    title="HumanEval",
    problem_columns=_COLUMNS,
    read_problem=read_problem,
    program_columns=_PROGRAM_COLUMNS,
    read_references=read_references,
)

HUMAN_EVAL_PLUS = RowFormat(
    dataset="human_eval_plus",
    title="HumanEval+",
    problem_columns=(*_COLUMNS, "canonical_solution", "base_input", "plus_input", "atol"),
    read_problem=read_problem,
    program_columns=_PROGRAM_COLUMNS,
    read_references=read_references,
)

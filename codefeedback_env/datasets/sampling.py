"""Choosing a part of a problem's hidden tests."""

import random
from dataclasses import replace

from codefeedback_env.problem import Problem


def limit_hidden_tests(problem: Problem, max_tests: int | None) -> Problem:
    """The problem with at most ``max_tests`` private and generated tests together.

    Which ones stay is a function of the problem's id alone, so every process and every replay
    judges by the same ones; they keep their order.
    """
    num_private, num_generated = len(problem.private_tests), len(problem.generated_tests)
    num_hidden = num_private + num_generated
    if max_tests is None or num_hidden <= max_tests:
        return problem
    kept = set(random.Random(problem.id).sample(range(num_hidden), max_tests))
    return replace(
        problem,
        private_tests=tuple(t for i, t in enumerate(problem.private_tests) if i in kept),
        generated_tests=tuple(
            t for i, t in enumerate(problem.generated_tests, start=num_private) if i in kept
        ),
    )

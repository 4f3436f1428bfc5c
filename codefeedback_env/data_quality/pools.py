"""What is wrong with the tests of a problem as they are stored."""

from collections import defaultdict
from collections.abc import Iterator

from codefeedback_env.data_quality.flags import Finding, Flag, shown
from codefeedback_env.problem import FunctionStyle, Pool, Problem, TestCase
from codefeedback_env.problem_checkers import Checker

Place = tuple[Pool, int, TestCase]


def check_pools(problem: Problem, checker: Checker) -> Iterator[Finding]:
    """Empty pools, repeated inputs and contradictions.

    Inputs are the same if they differ only in blanks at the ends of lines; outputs contradict each
    other if ``checker`` does not take one for the other, and never where a problem has a checker.

    Args:
        problem: with all its tests, read within ``keeping_all_tests``.
        checker: compares outputs.
    """
    yield from _empty_pools(problem)
    if problem.function is not None and problem.function.style is FunctionStyle.ASSERTS:
        return  # their private test is the public ones together, on purpose
    places: defaultdict[str, list[Place]] = defaultdict(list)
    for pool in Pool:
        for index, test in enumerate(problem.tests(pool)):
            key = "\n".join(line.rstrip() for line in test.stdin.split("\n")).rstrip("\n")
            places[key].append((pool, index, test))
    # Where a dataset has one pool, the public tests were taken from it, so they come up again once.
    one_pool = "public_tests" in problem.source
    first_of: dict[Flag, str] = {}
    num_of: dict[Flag, int] = defaultdict(int)
    for (pool, index, test), *others in places.values():
        for other_pool, other_index, other in others:
            flag, evidence = _compare(problem, checker, (pool, test), (other_pool, other))
            if one_pool and flag is Flag.REPEATED_BETWEEN_POOLS:
                continue
            num_of[flag] += 1
            where = f"{pool}[{index}] and {other_pool}[{other_index}]"
            first_of.setdefault(flag, f"{where}{evidence}")
    for flag, evidence in first_of.items():
        more = f" (and {num_of[flag] - 1} more)" if num_of[flag] > 1 else ""
        yield Finding(flag=flag, evidence=evidence + more)


def _empty_pools(problem: Problem) -> Iterator[Finding]:
    num_tests = {pool: len(problem.tests(pool)) for pool in Pool}
    counts = ", ".join(f"{num} {pool}" for pool, num in num_tests.items())
    if not any(num_tests.values()):
        yield Finding(flag=Flag.NO_TESTS, evidence=counts)
        return
    if not num_tests[Pool.PUBLIC]:
        yield Finding(flag=Flag.NO_PUBLIC_TESTS, evidence=counts)
    if not num_tests[Pool.PRIVATE] and not num_tests[Pool.GENERATED]:
        yield Finding(flag=Flag.NO_HIDDEN_TESTS, evidence=counts)
    elif not num_tests[Pool.PRIVATE]:
        yield Finding(flag=Flag.NO_PRIVATE_TESTS, evidence=counts)


def _compare(
    problem: Problem, checker: Checker, one: tuple[Pool, TestCase], other: tuple[Pool, TestCase]
) -> tuple[Flag, str]:
    (pool, test), (other_pool, other_test) = one, other
    outputs = test.expected_stdout, other_test.expected_stdout
    if problem.checker is None and not _agree(test.stdin, *outputs, checker):
        public = pool is other_pool is Pool.PUBLIC
        flag = Flag.CONTRADICTORY_PUBLIC if public else Flag.CONTRADICTORY_HIDDEN
        both = f"{shown(outputs[0], 40)} and {shown(outputs[1], 40)}"
        return flag, f": input {shown(test.stdin, 40)}, outputs {both}"
    if pool is other_pool:
        return Flag.REPEATED_IN_POOL, f": input {shown(test.stdin, 40)}"
    return Flag.REPEATED_BETWEEN_POOLS, f": input {shown(test.stdin, 40)}"


def _agree(stdin: str, expected: str, output: str, checker: Checker) -> bool:
    if expected.split() == output.split():
        return True
    texts = (text.encode("utf-8", "surrogatepass") for text in (stdin, expected, output))
    return checker(*texts)

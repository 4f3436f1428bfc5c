"""Checkers of problems of APPS and LiveCodeBench whose statements take any right answer."""

from codefeedback_env.problem_checkers.checker import Checker, integers, same_refusal


def _neighbours_differ_by_one(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """No, or Yes and a number for each node: the given ones, neighbours one apart."""
    refused = same_refusal(expected, output, b"No")
    if refused is not None:
        return refused
    num_nodes, *numbers = map(int, stdin.split())
    word, *rest = output.split()
    values = integers(b" ".join(rest))
    if word.lower() != b"yes" or len(values) != num_nodes:
        return False
    ends, given = numbers[: 2 * num_nodes - 2], numbers[2 * num_nodes - 1 :]
    return all(
        abs(values[a - 1] - values[b - 1]) == 1 for a, b in zip(ends[::2], ends[1::2], strict=True)
    ) and all(
        values[node - 1] == value for node, value in zip(given[::2], given[1::2], strict=True)
    )


def _digit_but_the_sum(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """One digit that is not the sum of the two numbers of the input."""
    answer = integers(output)
    return len(answer) == 1 and 0 <= answer[0] <= 9 and answer[0] != sum(map(int, stdin.split()))


OTHER_CHECKERS: dict[str, Checker] = {
    "neighbours-differ-by-one": _neighbours_differ_by_one,
    "digit-but-the-sum": _digit_but_the_sum,
}

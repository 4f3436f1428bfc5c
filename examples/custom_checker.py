"""A checker of your own, for a problem with many right answers.

    python examples/custom_checker.py

A checker gets the input, the output that is stored as expected, and what the program printed. It is
trusted and runs outside the jail, so it treats the output as hostile: it is bounded in time, it
evaluates nothing, and whatever it raises counts as a wrong answer.
"""

import gymnasium

from codefeedback_env import Problem, ProblemSet, TestCase, register_checker

MAX_ANSWER_BYTES = 100


def two_primes(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Whether the output is two primes that add up to the number in the input.

    ``expected`` is only one of the right answers, and "none" where there is no answer.
    """
    if len(output) > MAX_ANSWER_BYTES:
        return False
    if expected.split() == [b"none"] or output.split() == [b"none"]:
        return expected.split() == output.split()
    first, second = map(int, output.split())  # another number of words is a ValueError: wrong
    return first + second == int(stdin) and is_prime(first) and is_prime(second)


def is_prime(number: int) -> bool:
    """By trial division; inputs go up to a million, and so do answers, which are no larger."""
    if not 2 <= number <= 10**6:
        return False
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def problems() -> ProblemSet:
    """One problem, which names its checker."""
    register_checker("two-primes", two_primes)
    problem = Problem(
        id="two-primes",
        statement="Write the number in the input (at most a million) as a sum of two primes. Print "
        "them in any order, or print none if that cannot be done",
        public_tests=(TestCase("10\n", "3 7\n"), TestCase("11\n", "none\n")),
        private_tests=(TestCase("4\n", "2 2\n"), TestCase("999998\n", "19 999979\n")),
        checker="two-primes",
    )
    return ProblemSet.from_problems([problem], name="two-primes")


# Looks for the smaller prime from below, or from the middle: other answers, all of them right.
SEARCH = """\
def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))

n = int(input())
for a in {candidates}:
    if is_prime(a) and is_prime(n - a):
        print(a, n - a)
        break
else:
    print("none")
"""
PROGRAMS = {
    "from below": SEARCH.format(candidates="range(2, n - 1)"),
    "from the middle": SEARCH.format(candidates="range(n // 2, 1, -1)"),
    "any two numbers": "n = int(input())\nprint(1, n - 1)",
    "never an answer": "print('none')",
    "endless digits": "print('9' * 10**6)",
}


def main() -> dict[str, float]:
    """Play all programs; returns their rewards."""
    env = gymnasium.make("CodeFeedback-v0", dataset=problems(), turn_limit=1)
    rewards = {}
    for name, program in PROGRAMS.items():
        env.reset()
        _, reward, *_ = env.step(f"```python\n{program}\n```")
        rewards[name] = float(reward)
        print(f"{name:16} {reward:+g}")
    env.close()
    return rewards


if __name__ == "__main__":
    main()

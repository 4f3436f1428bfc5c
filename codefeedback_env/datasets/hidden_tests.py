"""Cleaning the hidden tests of a problem when it is loaded."""

from dataclasses import dataclass

from codefeedback_env.datasets.inspection import keeps_all_tests
from codefeedback_env.problem import TestCase


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedTests:
    """The hidden pools that are left, and how many tests went."""

    private_tests: tuple[TestCase, ...]
    generated_tests: tuple[TestCase, ...]
    num_dropped: int


def clean_hidden_tests(
    public: tuple[TestCase, ...],
    private: tuple[TestCase, ...],
    generated: tuple[TestCase, ...],
    *,
    several_right_outputs: bool = False,
) -> CleanedTests:
    """Drop the hidden tests that a program could cheat on, cannot pass, or would run twice.

    * An input stored with two different outputs goes entirely: no program passes both.
    * Of tests that repeat an input with the same output, the first stays, private before generated.
    * An input that a public test shows goes too, since a program can print the public outputs;
      but where nothing would be left to judge by, these tests stay.

    Inputs are the same if they differ only in blanks at the ends of lines and in blank lines at
    the end; outputs are the same if their blank-separated words are. What is left keeps its order.

    Args:
        public: shown to the agent; never changed.
        private: hidden tests of the first pool.
        generated: hidden tests of the second pool.
        several_right_outputs: a checker judges this problem, so outputs may differ.
    """
    if keeps_all_tests():
        return CleanedTests(private_tests=private, generated_tests=generated, num_dropped=0)
    output_of = {} if several_right_outputs else _outputs(public)
    public_inputs = {_input_key(test) for test in public}
    conflicting: set[str] = set()
    if not several_right_outputs:
        for test in (*private, *generated):
            key, output = _input_key(test), _output_key(test)
            if output_of.setdefault(key, output) != output:
                conflicting.add(key)

    def kept(known: set[str]) -> CleanedTests:
        seen = known | conflicting
        pools = []
        for pool in (private, generated):
            left = []
            for test in pool:
                key = _input_key(test)
                if key not in seen:
                    seen.add(key)
                    left.append(test)
            pools.append(tuple(left))
        return CleanedTests(
            private_tests=pools[0],
            generated_tests=pools[1],
            num_dropped=len(private) + len(generated) - len(pools[0]) - len(pools[1]),
        )

    cleaned = kept(public_inputs)
    if not cleaned.private_tests and not cleaned.generated_tests:
        return kept(set())
    return cleaned


def _outputs(tests: tuple[TestCase, ...]) -> dict[str, str]:
    return {_input_key(test): _output_key(test) for test in tests}


def _input_key(test: TestCase) -> str:
    return "\n".join(line.rstrip() for line in test.stdin.split("\n")).rstrip("\n")


def _output_key(test: TestCase) -> str:
    return " ".join(test.expected_stdout.split())

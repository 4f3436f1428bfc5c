"""Which program a reply holds."""

import time

import pytest

from codefeedback_env.parsing import find_proposed_tests, find_submission
from codefeedback_env.problem import TestCase

BIG = 1 << 20


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("```python\nprint(1)\n```", "print(1)\n"),
        ("text\n```py\nprint(1)\n```\nmore", "print(1)\n"),
        ("```Python3\nx\n```", "x\n"),
        ("```\nplain\n```", "plain\n"),
        ("```\nfirst\n```\n```python\nsecond\n```", "second\n"),
        ("```python\nfirst\n```\n```python\nsecond\n```", "first\n"),
        ("```cpp\nint x;\n```", "int x;\n"),
        ("```python print(1) ```", "print(1) "),
        ("```print(1)```", "print(1)"),
        ("```x = 1```", "x = 1"),
        ("```python\n```", ""),
        ("````md\n```python\ninner\n```\n````", "inner\n"),
        ("````\na ``` b\n````", "a ``` b\n"),
        ("```python\nprint(1)\n```python\nprint(2)\n```", "print(1)\n"),
        ("```python\n\ud800\x00\n```", "\ud800\x00\n"),
        ("```python\r\nprint(1)\r\n```", "print(1)\r\n"),
        ("```python\ncut off\n```\n```python\nagain", "cut off\n"),
        ("", None),
        ("no code at all", None),
        ("```python\ncut off", None),
        ("``` ``", None),
        ("`x = 1`", None),
        ("\x00\ud800", None),
    ],
)
def test_program_of_a_reply(reply, program):
    submission = find_submission(reply)
    assert (submission and submission.source_code) == program


@pytest.mark.parametrize(
    "reply",
    [
        "`" * BIG,
        "```python" * (BIG // 9),
        "```python\n" + "x" * BIG,
        "".join("`" * n + "\n" for n in range(1400, 2, -1)),
        "".join("`" * n + "\n" for n in range(3, 1400)),
        "```\n```python\n" * (BIG // 14),
    ],
    ids=["backticks", "openings", "unclosed", "falling", "rising", "nested"],
)
def test_hostile_reply_of_a_megabyte_is_parsed_in_seconds(reply):
    start = time.process_time()
    find_submission(reply)
    find_proposed_tests(reply)
    assert time.process_time() - start < 5


def test_proposed_tests_come_from_the_first_block_after_the_program():
    reply = (
        "```python\nprint(input())\n```\nTests:\n```\nInput:\n1 2\n3\nOutput:\n6\n\n"
        "input:\n\nOUTPUT:\n0\n```\n```\nInput:\n9\nOutput:\n9\n```"
    )
    assert find_proposed_tests(reply) == (TestCase("1 2\n3\n", "6\n"), TestCase("", "0\n"))


@pytest.mark.parametrize(
    "block", ["", "```\nfoo\n```", "```\nInput:\n1\n```", "```\nOutput:\n1\n```"]
)
def test_block_without_complete_tests_proposes_none(block):
    assert find_proposed_tests("```python\nprint(1)\n```\n" + block) == ()


def test_at_most_sixteen_proposed_tests_count():
    block = "```\n" + "Input:\n1\nOutput:\n1\n" * 40 + "```"
    assert len(find_proposed_tests("```python\npass\n```\n" + block)) == 16

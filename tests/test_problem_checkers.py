"""Checkers of problems with several right answers, on inputs and answers made up here."""

import tomllib
from contextlib import suppress
from time import process_time

import pytest

from codefeedback_env.datasets.checker_overlay import OVERLAY_FILE, overlay_checker
from codefeedback_env.problem_checkers import PROBLEM_CHECKERS

PATH_OF_4 = "4\n1 2\n2 3\n3 4\n"
STAR_OF_5 = "5\n1 2\n1 3\n1 4\n1 5\n"
NET = "3 3 7 0 2\n0 1 3\n1 2 0\n0 2 9\n"
ROADS = "3 2\n1 2 0\n2 3 1\n"
BOXES = "2 4\n4 1 2 3 4\n1 4\n"
CAST = "2 2\n2 1 2\n1 1\n"
NUMBERED = "3\n1 2\n2 3\n1\n1 4\n"
DEMANDS = "2 2\n1 L 2 L\n1 R 2 R\n"

# checker, stdin, stored answer, other answers that are right
RIGHT = [
    ("three-factors", "3\n24\n7\n30\n", "YES\n2 3 4\nNO\nYES\n2 3 5\n", "yes 4 2 3 no yes 5 3 2"),
    ("tree-of-maxima", "4\n3 4\n1 4\n3 4\n", "YES\n1 4\n2 4\n3 2\n", "YES\n2 3\n4 2\n4 1\n"),
    ("tree-of-maxima", "3\n1 3\n1 3\n", "NO\n", "no"),
    ("prefix-products", "5\n", "YES\n1\n2\n4\n3\n5\n", "YES 1 3 4 2 5"),
    ("prefix-products", "6\n", "NO\n", "NO"),
    ("erased-weights", NET, "YES\n0 1 3\n1 2 4\n0 2 9\n", "YES\n2 0 9\n2 1 4\n0 1 3\n"),
    (
        "erased-weights",
        "2 1 5 0 1\n0 1 6\n",
        "NO\n",
        "NO\n",
    ),
    ("asphalt", ROADS, "1\n1\n", "2\n2 3\n"),
    ("asphalt", "2 1\n1 2 1\n", "2\n1 2\n", "0\n"),
    ("block-towers", "1 3\n..#\n", "2\nB 1 1\nR 1 2\n", "2\nB 1 2\nR 1 1\n"),
    ("block-towers", "1 2\n..\n", "2\nB 1 1\nR 1 2\n", "4\nB 1 1\nB 1 2\nD 1 1\nR 1 1\n"),
    ("block-towers", "1 1\n#\n", "0\n", "0"),
    ("paths-through-one-node", PATH_OF_4, "Yes\n1\n1 4\n", "Yes\n2\n3 1\n4 3\n"),
    ("paths-through-one-node", STAR_OF_5, "Yes\n4\n1 2\n1 3\n1 4\n1 5\n", "Yes\n2\n2 5\n3 4\n"),
    ("present-moves", BOXES, "1\n1 2 1\n", "1\n1 2 3\n"),
    ("taken-from-ends", "4\n1 2 9 2\n", "2\nLL\n", "2\nLR\n"),
    ("cast", CAST, "2\n1 2\n2 1\n", "2\n2 1\n1 2\n"),
    ("cast", "1 1\n0\n", "0\n", "0"),
    ("seating", DEMANDS, "LR\n", "RL"),
    ("neighbours-differ-by-one", NUMBERED, "Yes\n4\n5\n6\n", "yes\n4\n5\n4\n"),
    ("neighbours-differ-by-one", "2\n1 2\n2\n1 0\n2 4\n", "No\n", "No\n"),
    ("digit-but-the-sum", "1 2\n", "5\n", "0\n"),
    ("digit-but-the-sum", "8 9\n", "0\n", "9\n"),
    ("seating", "1 2\n1 L 1 L\n1 R 1 R\n", "IMPOSSIBLE\n", "IMPOSSIBLE"),
]

# checker, stdin, stored answer, answers that are wrong or cannot be read
WRONG = [
    (
        "three-factors",
        "2\n24\n7\n",
        "YES\n2 3 4\nNO\n",
        [
            *("YES\n2 2 6\nNO\n", "YES\n1 2 12\nNO\n", "YES\n2 3 5\nNO\n", "NO\nNO\n"),
            *(
                "YES\n2 3 4\nYES\n1 1 7\n",
                "YES\n2 3 4\n",
                "YES\n2 3 4\nNO\nNO\n",
                "",
                "YES 2 3 x NO",
            ),
            "YES\n-2 -3 4\nNO\n",
        ],
    ),
    (
        "tree-of-maxima",
        "4\n3 4\n1 4\n3 4\n",
        "YES\n1 4\n2 4\n3 2\n",
        [
            *("NO\n", "YES\n1 2\n1 4\n3 4\n", "YES\n1 4\n1 4\n3 2\n", "YES\n1 4\n2 4\n"),
            *(
                "YES\n1 4\n2 4\n3 5\n",
                "YES\n1 4\n2 4\n3 0\n",
                "1 4\n2 4\n3 2\n",
                "YES\n1 4\n2 4\n3 b\n",
            ),
            "YES\n1 4\n2 3\n3 2\n",
        ],
    ),
    ("tree-of-maxima", "3\n1 3\n1 3\n", "NO\n", ["YES\n1 3\n1 2\n", "", "NO NO"]),
    (
        "prefix-products",
        "5\n",
        "YES\n1\n2\n4\n3\n5\n",
        ["NO", "YES 1 2 3 4 5", "YES 1 2 4 3", "YES 1 2 4 3 6", "YES 1 1 4 3 5", "1 2 4 3 5", ""],
    ),
    (
        "erased-weights",
        NET,
        "YES\n0 1 3\n1 2 4\n0 2 9\n",
        [
            *("NO\n", "YES\n0 1 3\n1 2 5\n0 2 9\n", "YES\n0 1 2\n1 2 5\n0 2 9\n"),
            *("YES\n0 1 3\n1 2 4\n0 2 7\n", "YES\n0 1 3\n1 2 4\n", "YES\n0 1 3\n1 2 4\n1 2 4\n"),
            *(
                "YES\n0 1 3\n1 2 0\n0 2 9\n",
                "YES\n0 1 3\n1 5 4\n0 2 9\n",
                "YES\n0 1 3.0\n1 2 4\n0 2 9\n",
            ),
        ],
    ),
    (
        "erased-weights",
        "2 1 5 0 1\n0 1 6\n",
        "NO\n",
        ["YES\n0 1 5\n", "YES\n0 1 6\n", ""],
    ),
    (
        "asphalt",
        ROADS,
        "1\n1\n",
        [
            "1\n2\n",
            "0\n",
            "Impossible\n",
            "2\n1\n",
            "1\n4\n",
            "5\n1 2 2 3 3\n",
            "1\n0\n",
            "one\n1",
            "",
        ],
    ),
    ("asphalt", "1 0\n", "0\n", ["1\n-1\n", "2\n1 1\n"]),
    (
        "block-towers",
        "1 3\n..#\n",
        "2\nB 1 1\nR 1 2\n",
        [
            *("2\nB 1 1\nB 1 2\n", "1\nB 1 1\n", "2\nR 1 2\nB 1 1\n", "3\nB 1 1\nR 1 2\nB 1 3\n"),
            *("3\nB 1 1\nR 1 2\nD 1 3\n", "2\nB 1 1\nR 1 4\n", "2\nB 1 1\nR 0 2\n", "2\nB 1 1\n"),
            *("3\nB 1 1\nR 1 2\nR 1 1\n", "3\nB 1 1\nR 1 2\nD 1 1\n", "2\nB 1 1\nX 1 2\n", ""),
            "2\nB 1 1\nR 1 two\n",
        ],
    ),
    (
        "paths-through-one-node",
        PATH_OF_4,
        "Yes\n1\n1 4\n",
        [
            *("No\n", "Yes\n3\n1 2\n2 3\n3 4\n", "Yes\n1\n1 3\n", "Yes\n2\n1 3\n2 4\n"),
            *(
                "Yes\n2\n1 4\n",
                "Yes\n1\n1 5\n",
                "Yes\n1\n1 1\n",
                "Yes\n0\n",
                "1\n1 4\n",
                "Yes\n1\n1 d\n",
                "",
            ),
        ],
    ),
    ("paths-through-one-node", "2\n1 1\n", "Yes\n1\n1 2\n", ["Yes\n1\n2 1\n"]),
    (
        "present-moves",
        BOXES,
        "1\n1 2 1\n",
        [
            *("0\n", "1\n1 2 4\n", "1\n2 1 4\n", "1\n1 3 1\n", "1\n1 0 1\n", "1\n1 2\n", ""),
            *("2\n1 2 1\n1 2 2\n", "1\n1 1 1\n", "1\n1 2 9\n", "1\n1 2 one\n"),
        ],
    ),
    (
        "taken-from-ends",
        "4\n1 2 9 2\n",
        "2\nLL\n",
        ["1\nL\n", "2\nRL\n", "2\nL\n", "3\nLLL\n", "2\nLX\n", "2\n", "LL\n", "2\nll\n", ""],
    ),
    (
        "cast",
        CAST,
        "2\n1 2\n2 1\n",
        [
            *("1\n1 1\n", "2\n1 1\n2 2\n", "2\n1 2\n1 1\n", "2\n1 1\n2 1\n", "2\n1 2\n3 1\n", ""),
            *("2\n1 2\n0 1\n", "2\n1 2\n2 1\n1 1\n", "2\n1 2\n2 x\n"),
        ],
    ),
    (
        "neighbours-differ-by-one",
        NUMBERED,
        "Yes\n4\n5\n6\n",
        ["No\n", "Yes\n3\n4\n5\n", "Yes\n4\n5\n5\n", "Yes\n4\n5\n", "4\n5\n6\n", "Yes 4 5 a", ""],
    ),
    ("digit-but-the-sum", "1 2\n", "5\n", ["3\n", "10\n", "-1\n", "4 5\n", "x\n", ""]),
    ("seating", DEMANDS, "LR\n", ["LL", "RR", "IMPOSSIBLE", "L", "LRL", "L R", "lr", ""]),
]


def verdict(name: str, stdin: str, expected: str, output: str) -> bool:
    """What the judge makes of it: output that cannot be read is wrong."""
    try:
        return PROBLEM_CHECKERS[name](stdin.encode(), expected.encode(), output.encode())
    except (ValueError, IndexError):
        return False


@pytest.mark.parametrize(("name", "stdin", "expected", "other"), RIGHT)
def test_right_answers_are_accepted(name, stdin, expected, other):
    assert verdict(name, stdin, expected, expected)
    assert verdict(name, stdin, expected, other)


@pytest.mark.parametrize(("name", "stdin", "expected", "outputs"), WRONG)
def test_wrong_and_malformed_answers_are_rejected(name, stdin, expected, outputs):
    assert [output for output in outputs if verdict(name, stdin, expected, output)] == []


@pytest.mark.parametrize("name", sorted({case[0] for case in RIGHT}))
def test_every_checker_rejects_bytes_that_are_no_text(name):
    stdin, expected = next((case[1], case[2]) for case in RIGHT if case[0] == name)
    check = PROBLEM_CHECKERS[name]
    for output in (b"\xff\xfe", b"\0", b"1e5 \xd9\xa1"):
        with suppress(ValueError, IndexError):
            assert not check(stdin.encode(), expected.encode(), output)


def test_long_answers_take_linear_time():
    size = 50_000
    line = f"{size}\n" + "".join(f"{i} {i + 1}\n" for i in range(1, size))
    answer = f"Yes\n1\n1 {size}\n"
    steps = f"{size}\nB 1 1\n" + "".join(f"R 1 {i}\n" for i in range(2, size + 1))
    towers = f"1 {size}\n{'.' * size}\n"
    started_s = process_time()
    assert verdict("paths-through-one-node", line, answer, answer)
    assert not verdict("block-towers", towers, steps, steps)
    assert process_time() - started_s < 5


def test_every_entry_of_the_overlay_names_a_checker_and_no_problem_twice():
    tables = tomllib.loads(OVERLAY_FILE.read_text("utf-8"))
    assert tables.keys() == {"code_contests", "apps", "live_code_bench"}
    for dataset, entries in tables.items():
        names = [name for entry in entries for name in entry["names"]]
        assert len(names) == len(set(names))
        assert all(overlay_checker(dataset, name) in PROBLEM_CHECKERS for name in names)
        assert all(entry["reason"] for entry in entries)


def test_overlay_goes_by_the_name_without_blanks_and_knows_nothing_else():
    assert overlay_checker("code_contests", " 327_D. Block Tower ") == "block-towers"
    assert overlay_checker("code_contests", "327_D. Block Towers") is None
    assert overlay_checker("mbpp", "327_D. Block Tower") is None

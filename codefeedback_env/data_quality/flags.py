"""What can be wrong with a problem, in words that reports and exclusion lists share."""

from dataclasses import dataclass
from enum import StrEnum


class Flag(StrEnum):
    """One kind of defect, or of doubt."""

    UNREADABLE = "unreadable"
    NO_TESTS = "no tests"
    NO_PUBLIC_TESTS = "no public tests"
    NO_PRIVATE_TESTS = "no private tests"
    NO_HIDDEN_TESTS = "no hidden tests"
    REPEATED_IN_POOL = "input repeated in a pool"
    REPEATED_BETWEEN_POOLS = "input repeated between pools"
    CONTRADICTORY_PUBLIC = "contradictory public tests"
    CONTRADICTORY_HIDDEN = "contradictory hidden tests"
    IMAGE = "picture missing from statement"
    TRANSLATED = "translated statement"
    INTERACTIVE = "interactive"
    FILE_IO = "reads or writes a file"
    ANY_ANSWER = "any answer, by its words"
    CHECKER_NOT_USED = "checker of the dataset not used"
    MANY_ANSWERS = "several right answers, no checker"
    REFERENCE_FAILS = "reference program fails"
    NO_REFERENCE_PASSES = "tests contradict the reference programs"
    WEAK_TESTS = "wrong program passes all tests"
    NO_WRONG_FAILS = "tests reject no wrong program"
    LABEL_IN_DOUBT = "wrong program that is a right one"
    EQUAL_TITLE = "title twice in the split"
    EQUAL_STATEMENT = "statement twice in the split"
    IN_OTHER_SPLIT = "also in another split"

    @property
    def meaning(self) -> str:
        """A sentence for somebody who reads a report."""
        return _MEANINGS[self]

    @property
    def excludes(self) -> bool:
        """Whether a problem with this defect judges right programs wrongly or leaks."""
        return self in _EXCLUDING


_MEANINGS = {
    Flag.UNREADABLE: "The row is damaged, so the problem or its programs cannot be read.",
    Flag.NO_TESTS: "Nothing can be judged.",
    Flag.NO_PUBLIC_TESTS: "There is no feedback to give.",
    Flag.NO_PRIVATE_TESTS: "Generated tests alone are hidden.",
    Flag.NO_HIDDEN_TESTS: "Public tests, which the agent sees, decide on the reward.",
    Flag.REPEATED_IN_POOL: "A test that repeats another tests nothing; loading drops hidden ones.",
    Flag.REPEATED_BETWEEN_POOLS: "A hidden test that the agent sees, or a repetition; loading "
    "drops it.",
    Flag.CONTRADICTORY_PUBLIC: "One input with two outputs: no program passes both.",
    Flag.CONTRADICTORY_HIDDEN: "One input with two outputs; loading drops both tests.",
    Flag.IMAGE: "The statement lacks a picture, often a formula.",
    Flag.TRANSLATED: "The dataset says that a machine translated the statement.",
    Flag.INTERACTIVE: "The program should talk to a judge, which is not there.",
    Flag.FILE_IO: "The program should use files and not standard input and output.",
    Flag.ANY_ANSWER: "The words ask for any of several answers; whether one output is stored for "
    "all of them, only programs show.",
    Flag.CHECKER_NOT_USED: "The dataset judges with a program of its own, which may take other "
    "answers than the stored one; here that one alone counts.",
    Flag.MANY_ANSWERS: "Right programs print different answers, and only the stored one counts.",
    Flag.REFERENCE_FAILS: "A program that the dataset calls right fails here.",
    Flag.NO_REFERENCE_PASSES: "Every reference program gives another answer than the stored one, "
    "or finds less input than it needs.",
    Flag.WEAK_TESTS: "A program that the dataset calls wrong passes everything stored.",
    Flag.NO_WRONG_FAILS: "All programs run that the dataset calls wrong pass everything stored, so "
    "the reward does not mean that a program is right.",
    Flag.LABEL_IN_DOUBT: "But for case and blanks a program that is called wrong is one that is "
    "called right, so that it passes says nothing about the tests.",
    Flag.EQUAL_TITLE: "Often one problem of two divisions.",
    Flag.EQUAL_STATEMENT: "The same problem again.",
    Flag.IN_OTHER_SPLIT: "A title or a statement comes up elsewhere too, so one part leaks into "
    "the other.",
}

_EXCLUDING = frozenset(
    {
        *(Flag.UNREADABLE, Flag.NO_TESTS, Flag.CONTRADICTORY_PUBLIC, Flag.INTERACTIVE),
        *(Flag.FILE_IO, Flag.MANY_ANSWERS, Flag.NO_REFERENCE_PASSES),
        Flag.NO_WRONG_FAILS,
    }
)
"""IN_OTHER_SPLIT excludes too, but only on the side that is trained on: ``DataReport.excludes``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A flag with what shows it."""

    flag: Flag
    evidence: str


def shown(text: str, max_chars: int = 80) -> str:
    """A text in one line, shortened."""
    return repr(text if len(text) <= max_chars else text[:max_chars] + "[...]")

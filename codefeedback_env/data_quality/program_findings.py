"""What the judged programs of a problem say about its tests."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.data_quality.programs import ProgramOutcome
from codefeedback_env.datasets.several_answers import has_unused_checker
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool, Problem
from codefeedback_env.verdicts import Verdict


def check_references(
    problem: Problem, outcomes: Sequence[ProgramOutcome], *, takes_any_answer: bool
) -> Iterator[Finding]:
    """What the reference programs show.

    Several right answers are taken for proved where a reference program gives another answer than
    the stored one and either the statement's words take any answer or the dataset has a checker
    that is not used here, or two such programs give different answers on the same test.
    """
    judged = [(n, o) for n, o in enumerate(outcomes) if o.verdict is not None]
    failing = [(n, o) for n, o in judged if o.verdict is not Verdict.ACCEPTED]
    if failing:
        evidence = f"{len(failing)} of {len(judged)}; {_describe(*failing[0])}"
        yield Finding(flag=Flag.REFERENCE_FAILS, evidence=evidence)
    many = None
    if problem.checker is None and problem.function is None:
        why = (
            "the dataset has a checker"
            if has_unused_checker(problem)
            else "the statement takes any"
        )
        many = _many_answers(failing, why if takes_any_answer else None)
    if many is not None:
        yield Finding(flag=Flag.MANY_ANSWERS, evidence=many)
    elif failing and len(failing) == len(judged):
        kinds = {outcome.kind for _, outcome in failing}
        if all(kind is not None and kind.speaks_against_tests for kind in kinds):
            evidence = f"all {len(failing)} fail; {_describe(*failing[0])}"
            yield Finding(flag=Flag.NO_REFERENCE_PASSES, evidence=evidence)


def check_wrong(
    problem: Problem,
    outcomes: Sequence[ProgramOutcome],
    wrong: Sequence[Submission],
    references: Sequence[Submission],
) -> Iterator[Finding]:
    """What the wrong programs show.

    Args:
        problem: whose tests judged them.
        outcomes: of the first of ``wrong``.
        wrong: all that the dataset has.
        references: as many; a wrong program that is one of them but for case and blanks was
            rejected for the form of its output, or by mistake.
    """
    right_sources = {_letters(program) for program in references}
    doubtful = [n for n in range(len(outcomes)) if _letters(wrong[n]) in right_sources]
    passing = [n for n, o in enumerate(outcomes) if o.verdict is Verdict.ACCEPTED]
    if both := [n for n in doubtful if n in passing]:
        evidence = f"wrong program {both[0]}, which passes" + _and_more(len(both) - 1)
        yield Finding(flag=Flag.LABEL_IN_DOUBT, evidence=evidence)
    passing = [n for n in passing if n not in doubtful]
    num_wrong = len(outcomes) - len(doubtful)
    if passing:
        evidence = f"{len(passing)} of {num_wrong}; the first is wrong program {passing[0]}"
        yield Finding(flag=Flag.WEAK_TESTS, evidence=evidence)
    if passing and len(passing) == num_wrong:
        num_tests = sum(len(problem.tests(pool)) for pool in Pool)
        if num_wrong == len(wrong) == 1:
            who = "the only wrong program known passes"
        else:
            who = f"{num_wrong} of {len(wrong)} wrong programs were run, and all pass"
        strength = "; a single program does not show by how much" if num_wrong == 1 else ""
        evidence = f"{who} all {num_tests} tests, which are weaker than those that rejected "
        evidence += ("it" if num_wrong == 1 else "them") + strength
        yield Finding(flag=Flag.NO_WRONG_FAILS, evidence=evidence)


def _letters(program: Submission) -> str:
    """The source without what case and blanks tell."""
    return "".join(program.source_code.split()).casefold()


def _and_more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def _many_answers(
    failing: list[tuple[int, ProgramOutcome]], takes_any_answer: str | None
) -> str | None:
    other_answers = [
        (number, outcome) for number, outcome in failing if outcome.verdict is Verdict.WRONG_ANSWER
    ]
    if other_answers and takes_any_answer:
        return f"{takes_any_answer}; {_describe(*other_answers[0])}"
    answers: defaultdict[tuple[Any, Any], dict[str, int]] = defaultdict(dict)
    for number, outcome in other_answers:
        of_test = answers[outcome.pool, outcome.index]
        of_test.setdefault(" ".join((outcome.output or "").split()), number)
        if len(of_test) > 1:
            first, second = list(of_test.values())[:2]
            return (
                f"reference programs {first} and {second} print different answers on "
                f"{outcome.pool}[{outcome.index}], and neither the stored one"
            )
    return None


def _describe(number: int, outcome: ProgramOutcome) -> str:
    return (
        f"reference program {number}: {outcome.verdict} on {outcome.pool}[{outcome.index}] "
        f"({outcome.kind}): {outcome.excerpt}"
    )

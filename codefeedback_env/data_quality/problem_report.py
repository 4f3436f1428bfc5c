"""What is found out about one problem."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.data_quality.failures import FailureKind
from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.data_quality.pools import check_pools
from codefeedback_env.data_quality.programs import ProgramOutcome, ProgramOutcomes, start_programs
from codefeedback_env.data_quality.statements import (
    check_statement,
    normalised_title,
    statement_hash,
)
from codefeedback_env.datasets.inspection import keeping_all_tests
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.errors import CodeFeedbackError
from codefeedback_env.judge.judge import Judge
from codefeedback_env.languages import Submission
from codefeedback_env.problem import Pool, Problem
from codefeedback_env.verdicts import Verdict

Wait = Callable[[], "ProblemReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemReport:
    """One problem; travels as one line of JSON."""

    id: str
    title: str | None = None
    """In lower case and without a contest's number; None where the problem has no title."""

    statement_hash: str | None = None
    difficulty: str | None = None
    is_function: bool = False
    num_tests: dict[str, int]
    """Tests of each pool as stored."""

    num_programs: dict[str, int]
    """Programs that the row holds in languages we run: ``reference`` and ``wrong``."""

    findings: tuple[Finding, ...] = ()
    references: tuple[ProgramOutcome, ...] = ()
    wrong: tuple[ProgramOutcome, ...] = ()

    @property
    def was_judged(self) -> bool:
        """No sandbox failed."""
        return all(outcome.verdict is not None for outcome in (*self.references, *self.wrong))

    def with_findings(self, more: list[Finding]) -> "ProblemReport":
        """The same with more findings."""
        return replace(self, findings=(*self.findings, *more))

    def to_json(self) -> dict[str, Any]:
        """Builtin types only; outputs are left out."""
        fields = asdict(self)
        for outcome in (*fields["references"], *fields["wrong"]):
            del outcome["output"]
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ProblemReport":
        """What ``to_json`` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            fields = dict(fields)
            findings = tuple(
                Finding(flag=Flag(f["flag"]), evidence=f["evidence"])
                for f in fields.pop("findings")
            )
            references = tuple(map(_outcome_from_json, fields.pop("references")))
            wrong = tuple(map(_outcome_from_json, fields.pop("wrong")))
            return cls(findings=findings, references=references, wrong=wrong, **fields)
        except (TypeError, KeyError) as error:
            raise ValueError(f"no report of a problem: {error}") from error


def start_problem(
    problems: ProblemSet, problem_id: str, judge: Judge | None, max_programs: int | None
) -> Wait:
    """Look at a problem and begin to judge its programs; the function given waits for the rest.

    Args:
        problems: which hold it.
        problem_id: one of their ids.
        judge: None where programs shall not run.
        max_programs: so many of each kind at most, the first ones; None for all.

    Raises:
        SandboxUnavailableError: this machine cannot judge.
    """
    try:
        problem = problems[problem_id]
        checker = checker_for(problem, Judging.STRICT)
        with keeping_all_tests():
            stored = problems[problem_id]
    except CodeFeedbackError as error:
        unreadable = ProblemReport(
            id=problem_id,
            num_tests={},
            num_programs={},
            findings=(Finding(flag=Flag.UNREADABLE, evidence=str(error)),),
        )
        return lambda: unreadable
    findings = [*check_statement(problem), *check_pools(stored, checker)]
    references: tuple[Submission, ...] = ()
    wrong: tuple[Submission, ...] = ()
    try:
        references = problems.reference_programs(problem_id)
        wrong = tuple(program.submission for program in problems.wrong_programs(problem_id))
    except CodeFeedbackError as error:
        findings.append(Finding(flag=Flag.UNREADABLE, evidence=str(error)))
    report = ProblemReport(
        id=problem_id,
        title=normalised_title(problem),
        statement_hash=statement_hash(problem.statement),
        difficulty=problem.difficulty,
        is_function=problem.function is not None,
        num_tests={pool.value: len(stored.tests(pool)) for pool in Pool},
        num_programs={"reference": len(references), "wrong": len(wrong)},
        findings=tuple(findings),
    )
    if judge is None:
        return lambda: report
    takes_any_answer = any(finding.flag is Flag.ANY_ANSWER for finding in findings)
    wait_for_programs = start_programs(
        judge,
        problem,
        references[:max_programs],
        wrong[:max_programs],
        takes_any_answer=takes_any_answer,
    )

    def wait() -> ProblemReport:
        outcomes = wait_for_programs()
        more = list(check_outcomes(problem, outcomes, takes_any_answer=takes_any_answer))
        with_programs = replace(report, references=outcomes.references, wrong=outcomes.wrong)
        return with_programs.with_findings(more)

    return wait


def check_outcomes(
    problem: Problem, outcomes: ProgramOutcomes, *, takes_any_answer: bool
) -> Iterator[Finding]:
    """What the programs show.

    Several right answers are taken for proved where a reference program gives another answer than
    the stored one and either the statement's words take any answer, or two such programs give
    different answers on the same test.
    """
    judged = [(n, o) for n, o in enumerate(outcomes.references) if o.verdict is not None]
    failing = [(n, o) for n, o in judged if o.verdict is not Verdict.ACCEPTED]
    if failing:
        evidence = f"{len(failing)} of {len(judged)}; {_describe(*failing[0])}"
        yield Finding(flag=Flag.REFERENCE_FAILS, evidence=evidence)
    many = None
    if problem.checker is None and problem.function is None:
        many = _many_answers(failing, takes_any_answer=takes_any_answer)
    if many is not None:
        yield Finding(flag=Flag.MANY_ANSWERS, evidence=many)
    elif failing and len(failing) == len(judged):
        kinds = {outcome.kind for _, outcome in failing}
        if all(kind is not None and kind.speaks_against_tests for kind in kinds):
            evidence = f"all {len(failing)} fail; {_describe(*failing[0])}"
            yield Finding(flag=Flag.NO_REFERENCE_PASSES, evidence=evidence)
    passing = [n for n, o in enumerate(outcomes.wrong) if o.verdict is Verdict.ACCEPTED]
    if passing:
        num_wrong = len(outcomes.wrong)
        evidence = f"{len(passing)} of {num_wrong}; the first is wrong program {passing[0]}"
        yield Finding(flag=Flag.WEAK_TESTS, evidence=evidence)
        if len(passing) == num_wrong:
            num_tests = sum(len(problem.tests(pool)) for pool in Pool)
            evidence = f"{num_wrong} of {num_wrong} pass all {num_tests} tests"
            yield Finding(flag=Flag.NO_WRONG_FAILS, evidence=evidence)


def _many_answers(
    failing: list[tuple[int, ProgramOutcome]], *, takes_any_answer: bool
) -> str | None:
    other_answers = [
        (number, outcome) for number, outcome in failing if outcome.verdict is Verdict.WRONG_ANSWER
    ]
    if other_answers and takes_any_answer:
        return f"the statement takes any; {_describe(*other_answers[0])}"
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


def _outcome_from_json(fields: dict[str, Any]) -> ProgramOutcome:
    verdict, pool, kind = (fields[key] for key in ("verdict", "pool", "kind"))
    return ProgramOutcome(
        verdict=None if verdict is None else Verdict(verdict),
        passed_public=fields["passed_public"],
        pool=None if pool is None else Pool(pool),
        index=fields["index"],
        kind=None if kind is None else FailureKind(kind),
        excerpt=fields["excerpt"],
    )

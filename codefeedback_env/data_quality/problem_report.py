"""What is found out about one problem."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.data_quality.failures import FailureKind
from codefeedback_env.data_quality.flags import Finding, Flag
from codefeedback_env.data_quality.pools import check_pools
from codefeedback_env.data_quality.program_findings import check_references, check_wrong
from codefeedback_env.data_quality.programs import ProgramOutcome, start_programs
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
from codefeedback_env.problem import Pool
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
    takes_any_answer = any(
        finding.flag in (Flag.ANY_ANSWER, Flag.CHECKER_NOT_USED) for finding in findings
    )
    wait_for_programs = start_programs(
        judge,
        problem,
        references[:max_programs],
        wrong[:max_programs],
        takes_any_answer=takes_any_answer,
    )

    def wait() -> ProblemReport:
        outcomes = wait_for_programs()
        more = [
            *check_references(problem, outcomes.references, takes_any_answer=takes_any_answer),
            *check_wrong(problem, outcomes.wrong, wrong, references),
        ]
        with_programs = replace(report, references=outcomes.references, wrong=outcomes.wrong)
        return with_programs.with_findings(more)

    return wait


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

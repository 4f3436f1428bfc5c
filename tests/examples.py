"""Problems, programs and judges that many tests use."""

from concurrent.futures import Future
from typing import Any

from codefeedback_env import Problem, SandboxError, TestCase
from codefeedback_env.judge.protocol import JudgeReport, WorkerInfo

SECRET = "SECRET-MARKER-71c9"
ADD = "a, b = map(int, input().split()[:2])\nprint(a + b)"
ADD_PUBLIC_ONLY = "a, b = map(int, input().split()[:2])\nprint(a + b if a < 5 and b != 1 else 0)"
ADD_WRONG = "print(3)"


def add_problem(problem_id: str = "add", secret: bool = False) -> Problem:
    """Print the sum of two numbers; hidden tests may hold a marker nobody may ever see."""
    marked = (TestCase(f"5 6 {SECRET}\n", f"11 {SECRET}\n"),) if secret else ()
    return Problem(
        id=problem_id,
        statement="Print the sum of two integers",
        public_tests=(TestCase("1 2\n", "3\n"), TestCase("2 2\n", "4\n")),
        private_tests=(TestCase("10 20\n", "30\n"), *marked),
        generated_tests=(TestCase("-1 1\n", "0\n"), *marked),
        time_limit_s=2.0,
        memory_limit_mib=256,
    )


def fenced(program: str) -> str:
    """A reply that holds a program."""
    return f"Here it is:\n```python\n{program}\n```\n"


class SharedJudge:
    """A judge whose close() leaves its workers to the other tests."""

    def __init__(self, judge: Any) -> None:
        self.submit, self.judge, self.cancel, self.info = (
            judge.submit,
            judge.judge,
            judge.cancel,
            judge.info,
        )

    def close(self) -> None:
        pass


class BrokenJudge:
    """A judge whose sandbox fails as often as it is told to."""

    def __init__(self, num_failures: int) -> None:
        self.num_failures = num_failures

    def judge(self, problem: Any, submission: Any, plan: Any) -> JudgeReport:
        if self.num_failures:
            self.num_failures -= 1
            raise SandboxError("the jail fell over")
        return JudgeReport(compiled=True, compile_error="", reports={})

    def submit(self, problem: Any, submission: Any, plan: Any) -> "Future[JudgeReport]":
        future: Future[JudgeReport] = Future()
        try:
            future.set_result(self.judge(problem, submission, plan))
        except SandboxError as error:
            future.set_exception(error)
        return future

    def cancel(self, future: Any) -> None:
        pass

    def info(self) -> WorkerInfo:
        return WorkerInfo(sandbox="broken", python_version="3", numpy_version=None)

    def close(self) -> None:
        pass

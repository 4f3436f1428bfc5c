"""A dataset of your own: a folder for each problem, as contest organisers keep them, read lazily.

    python examples/custom_dataset.py FOLDER        # without FOLDER a small one is made first

    FOLDER/double/statement.md
                  public/1.in  public/1.out         tests that feedback speaks of
                  hidden/1.in  hidden/1.out         tests that only decide
                  right/*.py   wrong/*.py           programs known to be right and wrong, optional

Every program is played through the environment: a right one must get +1, a wrong one -1. Run this
before training on a dataset: tests that refuse right programs teach nothing.
"""

import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import gymnasium

from codefeedback_env import (
    DatasetError,
    Problem,
    ProblemSet,
    ProblemSummary,
    Submission,
    TestCase,
    WrongProgram,
)


class FolderSource:
    """A ProblemSource: summaries are made at once, statements and tests read when asked for."""

    def __init__(self, folder: Path, split: str = "custom") -> None:
        """Look at what is there; no test is read.

        Raises:
            DatasetError: no subfolder has a statement.
        """
        self.name = folder.name
        self.split = split
        self._folders = sorted(path.parent for path in folder.glob("*/statement.md"))
        if not self._folders:
            raise DatasetError(f"no */statement.md in {folder}; give a folder of problems.")
        self.summaries: Sequence[ProblemSummary] = [
            ProblemSummary(
                id=path.name,
                num_public_tests=len(list(path.glob("public/*.in"))),
                num_private_tests=len(list(path.glob("hidden/*.in"))),
                has_reference=any(path.glob("right/*.py")),
            )
            for path in self._folders
        ]

    @property
    def fingerprint(self) -> str:
        """Changes with every byte of every file."""
        digest = hashlib.sha256()
        for folder in self._folders:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
        return digest.hexdigest()

    def problem(self, position: int) -> Problem:
        """Read one problem."""
        folder = self._folders[position]
        return Problem(
            id=folder.name,
            statement=(folder / "statement.md").read_text("utf-8").strip(),
            public_tests=self._tests(folder / "public"),
            private_tests=self._tests(folder / "hidden"),
            time_limit_s=2.0,
        )

    def reference_programs(self, position: int) -> tuple[Submission, ...]:
        """The programs in right/."""
        return self._programs(position, "right")

    def wrong_programs(self, position: int) -> tuple[WrongProgram, ...]:
        """The programs in wrong/."""
        return tuple(WrongProgram(program) for program in self._programs(position, "wrong"))

    def _tests(self, folder: Path) -> tuple[TestCase, ...]:
        inputs = sorted(folder.glob("*.in"))
        return tuple(TestCase(i.read_text(), i.with_suffix(".out").read_text()) for i in inputs)

    def _programs(self, position: int, kind: str) -> tuple[Submission, ...]:
        files = sorted(self._folders[position].glob(f"{kind}/*.py"))
        return tuple(Submission("python", file.read_text("utf-8")) for file in files)


def check(problems: ProblemSet) -> list[str]:
    """Play every program; what came out otherwise than the dataset says, a line for each."""
    env = gymnasium.make("CodeFeedback-v0", dataset=problems, turn_limit=1)
    complaints = []
    for problem_id in problems.ids:
        right = [(program, True) for program in problems.reference_programs(problem_id)]
        wrong = [(program.submission, False) for program in problems.wrong_programs(problem_id)]
        for number, (program, is_right) in enumerate(right + wrong):
            env.reset(options={"problem": problem_id})
            *_, info = env.step(f"```python\n{program.source_code}\n```")
            if info["private_passed"] != is_right:
                said = "right" if is_right else "wrong"
                verdicts = info["public_verdicts"]
                complaints.append(f"{problem_id}: {said} program {number}, public {verdicts}")
    env.close()
    return complaints


def write_small_dataset(folder: Path) -> Path:
    """Two problems to see it run."""
    for name, factor in (("double", 2), ("triple", 3)):
        files = {
            "statement.md": f"Print {factor} times the number in the input",
            "public/1.in": "4\n",
            "public/1.out": f"{4 * factor}\n",
            "hidden/1.in": "-7\n",
            "hidden/1.out": f"{-7 * factor}\n",
            "right/product.py": f"print({factor} * int(input()))\n",
            "wrong/positive.py": f"print({factor} * abs(int(input())))\n",
        }
        for file, text in files.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(text)
    return folder


def main(folder: Path) -> list[str]:
    """Check the dataset in a folder; returns the complaints."""
    problems = ProblemSet(FolderSource(folder))
    complaints = check(problems)
    print(*complaints, sep="\n", end="\n" if complaints else "")
    print(f"{len(problems)} problems, {len(complaints)} complaints")
    return complaints


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(1 if main(Path(sys.argv[1])) else 0)
    with tempfile.TemporaryDirectory() as temporary:
        main(write_small_dataset(Path(temporary, "small")))

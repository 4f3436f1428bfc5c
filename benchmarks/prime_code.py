"""verl's reward function for programs, ``prime_code``, to be measured beside our own.

It forks once for each submission and runs the program on all tests in that one process, which also
holds the expected outputs: nothing is isolated. An environment for it takes a minute to make, best
with the interpreter that runs programs in the sandboxes (``codefeedback doctor`` names it), because
builds of Python differ in speed by more than a tenth::

    /usr/bin/python3 -m venv verl-env
    verl-env/bin/python -m pip install --no-deps verl
    verl-env/bin/python -m pip install numpy
    python -m benchmarks.sandbox_throughput --verl-python verl-env/bin/python

``import verl`` needs torch and Ray, but ``verl/utils/reward_score/prime_code`` is a package that
imports numpy and nothing else of verl, so it is loaded from its folder, as it is. That favours it:
it forks from a small interpreter with a frozen heap instead of from a process that holds torch.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

FUNCTION = "verl.utils.reward_score.prime_code.compute_score"

_GRADER = """
import gc, importlib.metadata, importlib.util, json, multiprocessing, os, platform, sys

replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what prime_code prints is no reply


def load():
    verl = importlib.metadata.distribution("verl")
    init = verl.locate_file("verl/utils/reward_score/prime_code/__init__.py")
    spec = importlib.util.spec_from_file_location(
        "prime_code", init, submodule_search_locations=[os.path.dirname(init)]
    )
    module = sys.modules["prime_code"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return verl.version, module.compute_score


try:
    version, compute_score = load()
except (ImportError, OSError) as error:
    print(json.dumps({"error": repr(error)}), file=replies)
    raise SystemExit(0)
multiprocessing.set_start_method("fork")  # the default of Linux up to Python 3.13
print(json.dumps({"version": version, "python": platform.python_version()}), file=replies)
gc.collect()
gc.freeze()
for line in sys.stdin:
    score, _ = compute_score(*json.loads(line), continuous=True)  # as verl itself calls it
    print(json.dumps([score is True, float(score)]), file=replies)
"""


class PrimeCodeUnavailableError(Exception):
    """An interpreter cannot load prime_code."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What prime_code makes of a submission."""

    all_passed: bool
    score: float
    """1 if all tests were passed; else the share of the first ten, which can be 1 as well."""


class PrimeCode:
    """An interpreter that grades submissions with prime_code, one after the other."""

    def __init__(self, python: str) -> None:
        """Starts ``python``, an interpreter whose environment has verl and numpy.

        Raises:
            PrimeCodeUnavailableError: it cannot be started, or lacks one of them.
        """
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-c", _GRADER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise PrimeCodeUnavailableError(f"{python} does not start: {error}") from error
        try:
            answer = json.loads(self._reply())
        except RuntimeError as error:
            self.close()
            raise PrimeCodeUnavailableError(f"{python}: {error}") from error
        if "error" in answer:
            self.close()
            raise PrimeCodeUnavailableError(f"{python} cannot load prime_code: {answer['error']}")
        self.version: str = answer["version"]
        """Of verl."""

        self.python_version: str = answer["python"]
        """Of its interpreter, in which the programs run too."""

    def grade(self, request: bytes) -> Grade:
        """Grade what ``request_for`` has made."""
        assert self._process.stdin is not None
        self._process.stdin.write(request)
        self._process.stdin.flush()
        all_passed, score = json.loads(self._reply())
        return Grade(all_passed, score)

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _reply(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"prime_code's interpreter ended: {self._process.wait()}")
        return line


def request_for(source: str, tests: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A program and its tests, inputs and expected outputs, in the form ``grade`` takes."""
    cases = {
        "inputs": [stdin.decode() for stdin, _ in tests],
        "outputs": [expected.decode() for _, expected in tests],
    }
    return json.dumps([source, json.dumps(cases)]).encode() + b"\n"


def open_prime_code(python: str | None) -> PrimeCode | None:
    """The prime_code of this interpreter or of this process's own, which may lack it.

    Raises:
        PrimeCodeUnavailableError: ``python`` is given and cannot load it.
    """
    if python is not None:
        return PrimeCode(python)
    try:
        return PrimeCode(sys.executable)
    except PrimeCodeUnavailableError:
        return None

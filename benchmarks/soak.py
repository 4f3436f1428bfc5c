"""``python -m benchmarks.soak``: many programs, honest and hostile, and nothing may pile up.

Programs of the table PROGRAMS come in random order through the judge. It fails, with exit status 1,
on a verdict that is not the table's, and where memory, descriptors, processes or files have grown
beyond BOUNDS between the end of the warm-up and the end.
"""

import argparse
import contextlib
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import record
from benchmarks.processes import descendants, memory_of, num_descriptors
from codefeedback_env import (
    Pool,
    Problem,
    SandboxError,
    SandboxUnavailableError,
    Submission,
    TestCase,
    Verdict,
)
from codefeedback_env.checkers import Judging, checker_for
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, Stage, pack
from codefeedback_env.sandbox.catalog import AUTO, SANDBOXES

FILE_PREFIX = "codefeedback-soak-"
"""Names of all files that programs here try to leave behind begin so."""

PUBLIC_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
PLAN = Plan(stages=(Stage(pool=Pool.PUBLIC, max_failures=1),))
NUM_TESTS = 20
SUBMISSIONS_PER_SAMPLE = 250
WARM_UP_PER_WORKER = 10
IN_FLIGHT_PER_WORKER = 4
MAX_WRONG_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much more there may be at the end than after the warm-up."""

    memory_mib: float = 8.0
    """Resident, of this process and of everything it started, together; a heap's fragments."""

    descriptors: int = 0
    processes: int = 0
    restarted_processes: int = 0
    """A jail or worker that had to be started again was brought down by a program."""

    files: int = 0
    """In public folders, by name, and in the folder for temporary files of this run, all."""


BOUNDS = Bounds()

# --- Programs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """Limits that several programs share, on the same tests: the sum of a line of numbers."""

    time_limit_s: float
    memory_limit_mib: int
    num_tests: int


USUAL = Room(time_limit_s=2.0, memory_limit_mib=256, num_tests=NUM_TESTS)
SHORT = Room(time_limit_s=0.05, memory_limit_mib=64, num_tests=1)


@dataclass(frozen=True, slots=True)
class Program:
    """A program and how it must be judged."""

    name: str
    source: str
    verdict: Verdict
    weight: float = 1.0
    """How often it comes, in relation to the others."""

    room: Room = USUAL


_READ = "numbers = list(map(int, input().split()))\n"
_RIGHT = _READ + "print(sum(numbers))\n"
_LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"

PROGRAMS = (
    # Honest programs
    Program("right", _RIGHT, Verdict.ACCEPTED, 60),
    Program(
        "right, with much of the library",
        "import re, string, random, functools, itertools, collections, decimal\n"
        "from typing import List\n" + _RIGHT,
        Verdict.ACCEPTED,
        6,
    ),
    Program(
        "right, deep recursion",
        "import sys\nsys.setrecursionlimit(10**6)\n"
        "def depth(n):\n    return n and 1 + depth(n - 1)\n"
        + _READ
        + "print(sum(numbers) + depth(20_000) - 20_000)\n",
        Verdict.ACCEPTED,
        2,
    ),
    Program(
        "right, in a thread with a large stack",
        "import threading\nthreading.stack_size(64 << 20)\n"
        "def main():\n    print(sum(map(int, input().split())))\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()\n",
        Verdict.ACCEPTED,
        2,
    ),
    Program(
        "right after MemoryError",
        "try:\n    bytearray(8 << 30)\nexcept MemoryError:\n    pass\n" + _RIGHT,
        Verdict.ACCEPTED,
        1,
    ),
    Program("wrong", _READ + "print(sum(numbers) + 1)\n", Verdict.WRONG_ANSWER, 20),
    Program(
        "wrong on the fifth test",
        _READ + "print(sum(numbers) if numbers[0] != 4 else 'no')\n",
        Verdict.WRONG_ANSWER,
        10,
    ),
    Program("silent", "pass\n", Verdict.WRONG_ANSWER, 2),
    Program("exception", _READ + "print(numbers[999])\n", Verdict.RUNTIME_ERROR, 8),
    Program("exit status", _RIGHT + "raise SystemExit(3)\n", Verdict.RUNTIME_ERROR, 2),
    Program("syntax error", "print(sum(\n", Verdict.COMPILE_ERROR, 8),
    Program("input at the end", "input()\n" * 2, Verdict.RUNTIME_ERROR, 2),
    # Limits
    Program("endless", "while True:\n    pass\n", Verdict.TIME_LIMIT, 1, SHORT),
    Program(
        "endless, and deaf",
        "import signal\nfor number in range(1, 32):\n    if number not in (9, 19):\n"
        "        signal.signal(number, signal.SIG_IGN)\nwhile True:\n    pass\n",
        Verdict.TIME_LIMIT,
        0.5,
        SHORT,
    ),
    Program("sleeper", "import time\ntime.sleep(1e6)\n", Verdict.TIME_LIMIT, 0.05, SHORT),
    Program(
        "stopped by itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n",
        Verdict.TIME_LIMIT,
        0.05,
        SHORT,
    ),
    Program("greedy", "bytearray(8 << 30)\n", Verdict.MEMORY_LIMIT, 2),
    Program(
        "hoarder",
        "hoard = []\nwhile True:\n    hoard.append(bytearray(b'x') * (8 << 20))\n",
        Verdict.MEMORY_LIMIT,
        0.3,
        Room(time_limit_s=10.0, memory_limit_mib=32, num_tests=1),
    ),
    Program(
        "output flood",
        "chunk = 'x' * (1 << 20)\nwhile True:\n    print(chunk)\n",
        Verdict.OUTPUT_LIMIT,
        0.3,
    ),
    Program(
        "sparse output",
        "import os\nos.lseek(1, 1 << 40, 0)\nos.write(1, b'x')\n",
        Verdict.OUTPUT_LIMIT,
        0.5,
    ),
    Program("endless recursion", "def f():\n    f()\nf()\n", Verdict.RUNTIME_ERROR, 1),
    Program("brackets", "(" * 100_000 + ")" * 100_000, Verdict.COMPILE_ERROR, 0.5),
    Program("NUL in the source", "print(1)\0\n", Verdict.COMPILE_ERROR, 0.5),
    Program(
        "long literal", "print(" + "9" * 100_000 + ")\n", Verdict.COMPILE_ERROR, 0.5
    ),  # more than 4300 digits, which the compiler refuses
    # Crashes
    Program("null pointer", _LIBC + "ctypes.string_at(0)\n", Verdict.RUNTIME_ERROR, 1),
    Program("abort", "import os\nos.abort()\n", Verdict.RUNTIME_ERROR, 1),
    Program("kills itself", "import os\nos.kill(os.getpid(), 9)\n", Verdict.RUNTIME_ERROR, 1),
    # Attacks
    Program("fork bomb", "import os\nwhile True:\n    os.fork()\n", Verdict.RUNTIME_ERROR, 2),
    Program(
        "daemon",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        pass\n",
        Verdict.RUNTIME_ERROR,
        1,
    ),
    Program(
        "many threads",
        "import threading\nevent = threading.Event()\n"
        "for _ in range(10_000):\n    threading.Thread(target=event.wait, daemon=True).start()\n",
        Verdict.RUNTIME_ERROR,
        0.3,
    ),
    Program(
        "subprocess",
        "import subprocess\nsubprocess.run(['/bin/true'], check=True)\n",
        Verdict.RUNTIME_ERROR,
        0.5,
    ),
    Program("kills everybody", "import os\nos.kill(-1, 9)\n", Verdict.RUNTIME_ERROR, 1),
    Program("kills its parent", "import os\nos.kill(os.getppid(), 9)\n", Verdict.RUNTIME_ERROR, 1),
    Program("ptrace", _LIBC + "libc.ptrace(16, 1, 0, 0)\n", Verdict.SECURITY_VIOLATION, 1),
    Program(
        "process_vm_readv",
        _LIBC + "libc.process_vm_readv(1, None, 0, None, 0, 0)\n",
        Verdict.SECURITY_VIOLATION,
        1,
    ),
    Program("unshare", _LIBC + "libc.unshare(0x10000000)\n", Verdict.SECURITY_VIOLATION, 1),
    Program(
        "mount",
        _LIBC + "libc.mount(b'none', b'/', b'tmpfs', 0, None)\n",
        Verdict.SECURITY_VIOLATION,
        0.5,
    ),
    Program(
        "io_uring_setup",
        _LIBC + "libc.syscall(425, 8, ctypes.create_string_buffer(120))\n",
        Verdict.SECURITY_VIOLATION,
        0.5,
    ),
    Program(
        "memory file",
        f"import os\nos.memfd_create('{FILE_PREFIX}file')\n",
        Verdict.RUNTIME_ERROR,
        1,
    ),
    Program(
        "socket",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))\n",
        Verdict.RUNTIME_ERROR,
        1,
    ),
    *(
        Program(
            f"file in {folder}",
            f"import os\nopen('{folder}/{FILE_PREFIX}%d' % os.getpid(), 'w').write('x')\n",
            Verdict.RUNTIME_ERROR,
            0.5,
        )
        for folder in (*PUBLIC_FOLDERS, ".")
    ),
    Program(
        "every descriptor",
        "import os\nos.closerange(0, 4096)\n" + _RIGHT,
        Verdict.RUNTIME_ERROR,
        0.5,
    ),
    Program(
        "other descriptors",
        "import os\nfor fd in range(3, 256):\n    try:\n        os.fstat(fd)\n"
        "    except OSError:\n        continue\n    raise SystemExit(9)\n" + _RIGHT,
        Verdict.ACCEPTED,
        0.5,
    ),
    Program(
        "right, and never leaves",
        "import os, atexit\natexit.register(lambda: [None for _ in iter(int, 1)])\n" + _RIGHT,
        Verdict.TIME_LIMIT,
        0.3,
        SHORT,
    ),
    Program(
        "half an answer",
        "import os\nprint(1, end='', flush=True)\nos._exit(0)\n",
        Verdict.WRONG_ANSWER,
        0.5,
    ),
)

NUMPY_PROGRAM = Program(
    "right, with numpy",
    "import numpy\nprint(int(numpy.array(input().split(), dtype=numpy.int64).sum()))\n",
    Verdict.ACCEPTED,
    2,
)

# --- Judging -------------------------------------------------------------------------------------


class Soak:
    """Submits programs and keeps count."""

    def __init__(self, judge: Judge, programs: Sequence[Program], seed: int) -> None:
        """Nothing is submitted yet."""
        self._judge = judge
        self._programs = programs
        self._weights = [program.weight for program in programs]
        self._random = random.Random(seed)
        self._problems = {program.room: _pack(program.room) for program in programs}
        self._free = threading.Semaphore(IN_FLIGHT_PER_WORKER * judge.settings.num_workers)
        self.num_executions = 0
        self.num_submissions = 0
        self.judged: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        """A sentence on each kind of wrong verdict."""

    def run(self, num_submissions: int) -> None:
        """Judge so many programs, drawn by weight, and wait until all are done."""
        self.judge_all(self._random.choices(self._programs, self._weights, k=num_submissions))

    def judge_all(self, programs: Sequence[Program]) -> None:
        """Judge these programs, several at once, and wait until all are done."""
        under_way: list[tuple[Program, Future[JudgeReport]]] = []
        for program in programs:
            self._free.acquire()
            submission = Submission("python3", program.source)
            future = self._judge.submit(self._problems[program.room], submission, PLAN)
            future.add_done_callback(lambda _: self._free.release())
            under_way.append((program, future))
        for program, future in under_way:
            self._check(program, future)

    def _check(self, program: Program, future: "Future[JudgeReport]") -> None:
        self.num_submissions += 1
        self.judged[program.name] += 1
        try:
            report = future.result()
        except SandboxError as error:
            self.wrong[f"{program.name}: SandboxError: {error}"] += 1
            return
        part = report.reports[Pool.PUBLIC]
        self.num_executions += max(len(part.results), 1)
        verdict = part.verdict if report.compiled else Verdict.COMPILE_ERROR
        is_whole = verdict is not Verdict.ACCEPTED or part.all_passed
        if verdict is not program.verdict or not is_whole:
            last = part.results[-1] if part.results else None
            self.wrong[
                f"{program.name}: {verdict} instead of {program.verdict}, last result {last}"
            ] += 1


def _pack(room: Room) -> PackedProblem:
    problem = Problem(
        id=f"sum of numbers in {room}",
        statement="Print the sum.",
        public_tests=tuple(
            TestCase(f"{i} {i * i} 7\n", f"{i + i * i + 7}\n") for i in range(room.num_tests)
        ),
        time_limit_s=room.time_limit_s,
        memory_limit_mib=room.memory_limit_mib,
    )
    checker = checker_for(problem, Judging.STRICT)
    return pack(problem, judging=Judging.STRICT, checker=checker)


# --- What there is -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What this process and everything it started hold while nothing is being judged."""

    num_executions: int
    memory_mib: float
    descriptors: int
    processes: int
    files: int


def take_sample(num_executions: int, temporary: Path) -> Sample:
    """Look now, after what is on its way out has had a moment to go."""
    time.sleep(0.1)
    pids = descendants() | {os.getpid()}
    memory = memory_of(pids)
    return Sample(
        num_executions=num_executions,
        memory_mib=memory.rss_mib,
        descriptors=num_descriptors(pids),
        processes=memory.num_processes,
        files=_num_files(temporary),
    )


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """From the first samples to the last: of memory the medians of a few, of the rest the most."""
    few = max(1, min(5, len(samples) // 4))
    first, last = samples[:few], samples[-few:]
    memory = [statistics.median(s.memory_mib for s in part) for part in (first, last)]
    return {
        "memory_mib": round(memory[1] - memory[0], 2),
        "descriptors": samples[-1].descriptors - samples[0].descriptors,
        "processes": samples[-1].processes - samples[0].processes,
        "files": samples[-1].files,
    }


@contextmanager
def own_temporary_folder() -> Iterator[Path]:
    """Send temporary files of this process and of all it starts where nobody else has any."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="codefeedback-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = None
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before


def _num_files(temporary: Path) -> int:
    found = len(os.listdir(temporary))
    for folder in PUBLIC_FOLDERS:
        with contextlib.suppress(OSError):
            found += sum(name.startswith(FILE_PREFIX) for name in os.listdir(folder))
    return found


# --- Command line --------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak as ``arguments``, by default the process's own, ask for; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    result = record.begin("soak", arguments)
    start = time.monotonic()
    with own_temporary_folder() as temporary:
        judge = Judge(sandbox=options.sandbox, num_workers=options.workers, num_remembered=0)
        with contextlib.closing(judge):
            try:
                info = judge.info()
            except SandboxUnavailableError as error:
                record.say(str(error))
                return 1
            programs = PROGRAMS if info.numpy_version is None else (*PROGRAMS, NUMPY_PROGRAM)
            soak = Soak(judge, programs, options.seed)
            samples, restarted = _run(soak, programs, options, temporary)
            num_workers = judge.settings.num_workers
        left = take_sample(soak.num_executions, temporary)
    grown = {**growth(samples), "restarted_processes": restarted}
    failures = [f"{n} times {what}" for what, n in soak.wrong.most_common(MAX_WRONG_SHOWN)]
    for what, bound in asdict(BOUNDS).items():
        if grown[what] > bound:
            failures.append(f"{what} grew by {grown[what]}, allowed are {bound}")
    if left.processes > 1:
        failures.append(f"{left.processes - 1} processes are left after the judge was closed")
    wall_time_s = time.monotonic() - start
    result |= {
        "sandbox": info.sandbox,
        "python_of_programs": info.python_version,
        "numpy_of_programs": info.numpy_version,
        "settings": {"seed": options.seed, "workers": num_workers, "programs": len(programs)},
        "executions": soak.num_executions,
        "submissions": soak.num_submissions,
        "submissions_of": dict(sorted(soak.judged.items())),
        "wrong_verdicts": sum(soak.wrong.values()),
        "growth": grown,
        "bounds": asdict(BOUNDS),
        "samples": [asdict(sample) for sample in _thinned(samples)],
        "processes_left": left.processes - 1,
        "failures": failures,
        "passed": not failures,
        "wall_time_s": round(wall_time_s, 1),
    }
    _print(result, samples)
    record.finish(result, folder=options.save)
    return 1 if failures else 0


def _run(
    soak: Soak, programs: Sequence[Program], options: argparse.Namespace, temporary: Path
) -> tuple[list[Sample], int]:
    """Warm up, then judge as much as asked for; returns samples and how many processes are new."""
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    # All programs once, and in every worker those with and without numpy, and the tests of each
    # room, whose inputs a worker keeps open.
    soak.judge_all(programs)
    right = [replace(programs[0], room=room) for room in {program.room for program in programs}]
    soak.judge_all(WARM_UP_PER_WORKER * options.workers * [*right, programs[-1]])
    before = descendants()
    num_warm_up = soak.num_executions
    samples = [take_sample(soak.num_executions, temporary)]
    while soak.num_executions - num_warm_up < options.executions and time.monotonic() < deadline:
        soak.run(SUBMISSIONS_PER_SAMPLE)
        samples.append(take_sample(soak.num_executions, temporary))
        record.say(
            f"{soak.num_executions} executions, {sum(soak.wrong.values())} wrong verdicts, "
            f"{samples[-1].memory_mib:.0f} MiB, {samples[-1].descriptors} descriptors, "
            f"{samples[-1].processes} processes, {samples[-1].files} files"
        )
    return samples, len(descendants() - before)


def _thinned(samples: Sequence[Sample], most: int = 100) -> list[Sample]:
    """At most so many of them, evenly spread, first and last included."""
    if len(samples) <= most:
        return list(samples)
    return [samples[round(i * (len(samples) - 1) / (most - 1))] for i in range(most)]


def _print(result: dict[str, Any], samples: Sequence[Sample]) -> None:
    table = Table(title=f"{result['executions']} executions in {result['sandbox']}")
    table.add_column("what")
    for column in ("first", "last", "growth", "allowed"):
        table.add_column(column, justify="right")
    for what in ("memory_mib", "descriptors", "processes", "files"):
        ends = (getattr(sample, what) for sample in (samples[0], samples[-1]))
        table.add_row(
            what, *map(str, ends), str(result["growth"][what]), str(result["bounds"][what])
        )
    table.add_row("wrong verdicts", "", str(result["wrong_verdicts"]), "", "0")
    console = Console()
    console.print(table)
    for failure in result["failures"]:
        console.print(f"failed: {failure}", soft_wrap=True, highlight=False, markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Judge honest and hostile programs for a long time; nothing may pile up.",
    )
    add = parser.add_argument
    confining = [name for name in SANDBOXES if name != "unsafe"]
    add(
        "--executions",
        type=record.positive,
        default=200_000,
        metavar="N",
        help="test executions after the warm-up; default: %(default)s",
    )
    add("--minutes", type=record.seconds, metavar="M", help="end after so long at the latest")
    add("--sandbox", choices=[AUTO, *confining], default=AUTO, metavar="X", help="default: auto")
    add(
        "--workers",
        type=record.positive,
        default=len(os.sched_getaffinity(0)),
        metavar="W",
        help="default: one on each CPU",
    )
    add("--seed", type=int, default=0, metavar="S", help="of the order; default: %(default)s")
    record.add_save_option(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

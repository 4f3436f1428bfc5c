"""What every sandbox must do with honest, wrong and clumsy programs."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sandbox_fixtures import (
    LIMITS,
    about,
    jail_processes,
    judge_program,
    judge_run,
    run_all,
    run_program,
    wait_until,
)

from codefeedback_env.checkers import Comparison
from codefeedback_env.judge.decide import with_source_lines
from codefeedback_env.sandbox.base import STDERR_KEPT_BYTES, InputFile, LimitHit, Limits
from codefeedback_env.sandbox.zygotes import ZygoteSandbox
from codefeedback_env.verdicts import Verdict

pytest_plugins = ["sandbox_fixtures"]
pytestmark = pytest.mark.sandbox

GENEROUS = Limits(cpu_time_s=10, memory_mib=512)
"""For programs that no limit should stop, however busy the machine is."""

SUM = b"3\n10 20 12\n"  # what most programs add up
FIBONACCI_20000_DIGITS = 4180  # log10(golden ratio) * 20000 - log10(sqrt 5) = 4179.4

# --- Honest programs -----------------------------------------------------------------------------

HONEST: dict[str, tuple[str, bytes, bytes]] = {  # name -> source, stdin, expected stdout
    "input()": ("n = int(input()); print(sum(map(int, input().split())))", SUM, b"42\n"),
    "for line in sys.stdin": (
        "import sys\nprint(sum(len(line.split()) for line in sys.stdin))",
        SUM,
        b"4\n",
    ),
    "sys.stdin.read()": (
        "import sys\nprint(sum(map(int, sys.stdin.read().split()[1:])))",
        SUM,
        b"42\n",
    ),
    "sys.stdin.readline as input": (
        "import sys\ninput = sys.stdin.readline\ninput()\nprint(sum(map(int, input().split())))",
        SUM,
        b"42\n",
    ),
    "sys.stdin.readlines()": ("import sys\nprint(len(sys.stdin.readlines()))", SUM, b"2\n"),
    "sys.stdin.buffer.read()": (
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split()[1:])))",
        SUM,
        b"42\n",
    ),
    "sys.stdin.buffer.readline()": (
        "import sys\nread = sys.stdin.buffer.readline\nread()\n"
        "print(sum(map(int, read().split())))",
        SUM,
        b"42\n",
    ),
    "open(0).read()": ("print(sum(map(int, open(0).read().split()[1:])))", SUM, b"42\n"),
    "for line in open(0)": ("*_, last = open(0)\nprint(last)", SUM, b"10 20 12\n"),
    "os.read(0, n)": (
        "import os\nprint(sum(map(int, os.read(0, 10**6).split()[1:])))",
        SUM,
        b"42\n",
    ),
    "os.read of what fstat says": (
        "import os\nprint(sum(map(int, os.read(0, os.fstat(0).st_size).split()[1:])))",
        SUM,
        b"42\n",
    ),
    "fast input through BytesIO": (
        """
        import io, os, sys
        class FastIO(io.IOBase):
            def __init__(self, file):
                self._fd = file.fileno()
                self.buffer = io.BytesIO()
                self.write = self.buffer.write
            def read_all(self):
                while True:
                    data = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
                    if not data:
                        return self.buffer.getvalue()
                    self.write(data)
        print(sum(map(int, FastIO(sys.stdin).read_all().split()[1:])))
        """,
        SUM,
        b"42\n",
    ),
    "mmap of stdin": (
        "import mmap\ndata = mmap.mmap(0, 0, prot=mmap.PROT_READ)\nprint(data[:].decode())",
        SUM,
        SUM,
    ),
    "seeking in stdin": (
        "import sys\nfirst = sys.stdin.read()\nsys.stdin.seek(0)\nprint(sys.stdin.read() == first)",
        SUM,
        b"True\n",
    ),
    "open('/dev/stdin')": ("print(open('/dev/stdin').read())", SUM, SUM),
    "/dev/stdout and /dev/stderr": (
        """
        with open("/dev/stdout", "w") as out, open("/dev/stderr", "w") as err:
            out.write("42")
            err.write("nothing to see")
        """,
        b"",
        b"42",
    ),
    "sys.stdin = open('/dev/stdin')": (
        "import sys\nsys.stdin = open('/dev/stdin', 'r')\ninput()\nprint(input())",
        SUM,
        b"10 20 12\n",
    ),
    "empty input": ("import sys\nprint(len(sys.stdin.read()))", b"", b"0\n"),
    "input() at the end": (
        """
        total = 0
        while True:
            try:
                total += sum(map(int, input().split()))
            except EOFError:
                break
        print(total)
        """,
        SUM,
        b"45\n",
    ),
    "reading past the end": (
        "import sys\nsys.stdin.read()\nprint(repr(sys.stdin.read()), repr(sys.stdin.readline()))",
        SUM,
        b"'' ''\n",
    ),
    "input without final newline": ("print(input())\nprint(input())", b"1\n2", b"1\n2\n"),
    "input with CRLF": ("print([input(), input()])", b"1\r\n2\r\n", b"['1', '2']\n"),
    "stdin never read": ("print(42)", b"1\n" * 100_000, b"42\n"),
    "8 MB of input": (
        "import sys\nprint(sum(map(int, sys.stdin.buffer)))",
        b"1234567\n" * (1 << 20),
        b"%d\n" % (1234567 << 20),
    ),
    "2 MB of output": (
        "for i in range(1 << 18):\n    print(1234567)",
        b"",
        b"1234567\n" * (1 << 18),
    ),
    "no output": ("pass", b"", b""),
    "output without newline": ("print(42, end='')", b"", b"42\n"),
    "trailing blanks": ("print('42   ')\nprint(' ')\nprint()", b"", b"42\n"),
    "CRLF in the output": ("print('1\\r\\n2\\r')", b"", b"1\n2\n"),
    "print with flush": ("print(42, flush=True)", b"", b"42\n"),
    "sys.stdout.write": ("import sys\nsys.stdout.write('42\\n')", b"", b"42\n"),
    "sys.stdout.writelines": ("import sys\nsys.stdout.writelines(['4', '2'])", b"", b"42\n"),
    "sys.stdout.buffer.write": ("import sys\nsys.stdout.buffer.write(b'42\\n')", b"", b"42\n"),
    "os.write": ("import os\nos.write(1, b'42\\n')", b"", b"42\n"),
    "print to the stream below": (
        "import sys\nprint(1)\nsys.stdout.flush()\nsys.stdout.buffer.write(b'2\\n')",
        b"",
        b"1\n2\n",
    ),
    "sys.stdout as a StringIO": (
        """
        import io, sys
        sys.stdout = io.StringIO()
        print(42)
        sys.__stdout__.write(sys.stdout.getvalue())
        """,
        b"",
        b"42\n",
    ),
    "sys.stdout replaced, flushed by nobody": (
        """
        import io, os, sys
        class FastIO(io.IOBase):
            def __init__(self, file):
                self.fd = file.fileno()
                self.buffer = io.BytesIO()
                self.write = lambda text: self.buffer.write(text.encode())
            def flush(self):
                os.write(self.fd, self.buffer.getvalue())
                self.buffer.truncate(0), self.buffer.seek(0)
        sys.stdout = FastIO(sys.stdout)
        print(42)
        """,
        b"",
        b"42\n",
    ),
    "sys.stdout closed at the end": ("import sys\nprint(42)\nsys.stdout.close()", b"", b"42\n"),
    "diagnostics on stderr": ("import sys\nprint('hm', file=sys.stderr)\nprint(42)", b"", b"42\n"),
    "non-ASCII text": (
        "word = input()\nprint(word, len(word), 'größer ≥ 中')",
        "naïve→\n".encode(),
        "naïve→ 6 größer ≥ 中\n".encode(),
    ),
    "any bytes through text streams": (
        "import sys\nsys.stdout.write(sys.stdin.read())",
        b"\xff\xfe\x80abc\x00\xc3\n",
        b"\xff\xfe\x80abc\x00\xc3\n",
    ),
    "non-ASCII source": ("größe = 42\nprint(größe)", b"", b"42\n"),
    "latin-1 cookie": ("# coding: latin-1\nprint(42)", b"", b"42\n"),
    "sys.exit()": ("import sys\nprint(42)\nsys.exit()", b"", b"42\n"),
    "sys.exit(0)": ("import sys\nprint(42)\nsys.exit(0)\nprint(43)", b"", b"42\n"),
    "exit()": ("print(42)\nexit()\nprint(43)", b"", b"42\n"),
    "exit(0)": ("print(42)\nexit(0)", b"", b"42\n"),
    "quit()": ("print(42)\nquit()", b"", b"42\n"),
    "raise SystemExit": ("print(42)\nraise SystemExit", b"", b"42\n"),
    "exit() in a function under try-finally": (
        "def f():\n    try:\n        exit()\n    finally:\n        print(42)\nf()",
        b"",
        b"42\n",
    ),
    "os._exit(0) after a flush": ("import os\nprint(42, flush=True)\nos._exit(0)", b"", b"42\n"),
    'if __name__ == "__main__"': (
        'def main():\n    print(42)\nif __name__ == "__main__":\n    main()',
        b"",
        b"42\n",
    ),
    "import __main__": ("import __main__\nx = 42\nprint(__main__.x)", b"", b"42\n"),
    "__file__ and sys.argv": (
        "import sys\nprint(__file__, sys.argv)",
        b"",
        b"solution.py ['solution.py']\n",
    ),
    "chdir to the program's own folder": (
        "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))\nprint(42)",
        b"",
        b"42\n",
    ),
    "local debugging branch": (
        """
        import os, sys
        if os.path.exists("input.txt"):
            sys.stdin = open("input.txt")
        if os.environ.get("LOCAL") or "ONLINE_JUDGE" in os.environ and False:
            sys.stdout = open("output.txt", "w")
        print(input())
        """,
        b"42\n",
        b"42\n",
    ),
    "global statement": (
        "n = 0\ndef f():\n    global n\n    n += 42\nf()\nprint(n)",
        b"",
        b"42\n",
    ),
    "recursive function beside a global": (
        "memo = {}\ndef f(n):\n    memo[n] = n if n < 2 else f(n - 1) + f(n - 2)\n"
        "    return memo[n]\nprint(f(9), len(memo))",
        b"",
        b"34 10\n",
    ),
    "class named Solution": (
        "class Solution:\n    def solve(self):\n        return 42\nprint(Solution().solve())",
        b"",
        b"42\n",
    ),
    "multi-line string": ('text = """\n  a\nb\n"""\nprint(repr(text))', b"", b"'\\n  a\\nb\\n'\n"),
    '"import threading" in a comment': ("# import threading, subprocess\nprint(42)", b"", b"42\n"),
    "words like numpy in a string": ("print(len('import numpy'))", b"", b"12\n"),
    "shadowed builtins": (
        "list = [1, 2]; sum = 0; str = 'x'; open = 3\nprint(list, open)",
        b"",
        b"[1, 2] 3\n",
    ),
    "shadowed module names": ("os = sys = math = 14\nprint(os + sys + math)", b"", b"42\n"),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass(order=True)\nclass P:\n    x: int\n"
        "print(min(P(3), P(2)))",
        b"",
        b"P(x=2)\n",
    ),
    "pickle of a class of one's own": (
        "import copy, pickle\nclass P:\n    x = 42\nprint(pickle.loads(pickle.dumps(P())).x,"
        " copy.deepcopy(P()).x)",
        b"",
        b"42 42\n",
    ),
    "typing": (
        """
        from __future__ import annotations
        from typing import Dict, Generic, List, NamedTuple, Optional, TypeVar
        T = TypeVar("T")
        class Stack(Generic[T]):
            def __init__(self) -> None:
                self.items: List[T] = []
        class Edge(NamedTuple):
            to: int
            cost: Optional[Dict[str, int]] = None
        print(Edge(3), len(Stack[int]().items))
        """,
        b"",
        b"Edge(to=3, cost=None) 0\n",
    ),
    "seeded random": (  # Mersenne Twister, the same in every version
        "import random\nrandom.seed(7)\nprint(random.random(), random.randrange(100))",
        b"",
        b"0.32383276483316237 19\n",
    ),
    "unseeded random": (
        "import random\nx = [*range(100)]\nrandom.shuffle(x)\nprint(sum(x))",
        b"",
        b"4950\n",
    ),
    "decimal and fractions": (
        "from decimal import *\nfrom fractions import Fraction\ngetcontext().prec = 30\n"
        "print(Decimal(2).sqrt(), Fraction(6, 4))",
        b"",
        b"1.41421356237309504880168872421 3/2\n",
    ),
    "heapq, bisect, itertools, functools, collections": (
        """
        from bisect import *; from collections import *; from functools import *
        from heapq import *; from itertools import *
        heap = [3, 1, 2]; heapify(heap)
        print(heappop(heap), bisect_left([1, 3, 5], 3), *accumulate([1, 2, 3]))
        print(reduce(lambda a, b: a * b, [1, 2, 3, 7]), Counter("abca").most_common(1))
        print(deque([1, 2]), OrderedDict(a=1)["a"], defaultdict(list)["x"])
        """,
        b"",
        b"1 1 1 3 6\n42 [('a', 2)]\ndeque([1, 2]) 1 []\n",
    ),
    "re, string, math, statistics, datetime": (
        """
        import datetime, math, re, statistics, string
        print(re.findall(r"\\d+", "a12b7"), string.ascii_lowercase[:3], math.gcd(84, 126))
        print(math.comb(10, 3), math.isqrt(1764), statistics.median([1, 42, 99]))
        print(datetime.date(2024, 2, 28) + datetime.timedelta(days=2))
        """,
        b"",
        b"['12', '7'] abc 42\n120 42 42\n2024-03-01\n",
    ),
    "operator, cmath, array, struct, json, copy, enum, queue, time": (
        """
        import array, cmath, copy, enum, json, operator, queue, struct, time
        class Color(enum.Enum):
            RED = 1
        q = queue.PriorityQueue(); q.put(3); q.put(1)
        print(operator.itemgetter(1)([7, 42]), abs(cmath.rect(2, 0)), array.array("i", [1])[0])
        print(struct.unpack("<H", b"*\\0"), json.dumps([1]), copy.copy([2]), Color.RED, q.get())
        print(time.time() > 1.6e9, time.perf_counter() >= 0)
        """,
        b"",
        b"42 2.0 1\n(42,) [1] [2] Color.RED 1\nTrue True\n",
    ),
    "asyncio": (
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 42\n"
        "print(asyncio.run(f()))",
        b"",
        b"42\n",
    ),
    "imports of what it may not use": (
        "import multiprocessing, socket, subprocess, tempfile, urllib.request\nprint(42)",
        b"",
        b"42\n",
    ),
    "an import that fails, caught": (
        "try:\n    import no_such_module\nexcept ImportError:\n    print(42)",
        b"",
        b"42\n",
    ),
    "integers beyond 4300 digits": (
        """
        a, b = 0, 1
        for _ in range(20000):
            a, b = b, a + b
        text = str(a ** 2)
        print(len(str(a)), len(text), int(text) == a ** 2, int("9" * 10000) % 9)
        """,
        b"",
        b"%d %d True 0\n" % (FIBONACCI_20000_DIGITS, 2 * FIBONACCI_20000_DIGITS - 1),
    ),
    "recursion limit and a thread with a 256 MB stack": (
        """
        import sys, threading
        def depth(n):
            return 0 if n == 0 else 1 + depth(n - 1)
        def main():
            print(depth(50_000))
        sys.setrecursionlimit(10**6)
        threading.stack_size(256 << 20)
        thread = threading.Thread(target=main)
        thread.start()
        thread.join()
        """,
        b"",
        b"50000\n",
    ),
    "threading.stack_size without join": (
        """
        import sys, threading
        sys.setrecursionlimit(10**7)
        threading.stack_size(2**27)
        threading.Thread(target=lambda: print(42)).start()
        """,
        b"",
        b"42\n",
    ),
    "deep recursion through lru_cache": (  # each level takes C stack, which is 256 MB here
        """
        import functools, sys
        sys.setrecursionlimit(10**6)
        @functools.lru_cache(None)
        def f(n):
            return 0 if n == 0 else 1 + f(n - 1)
        print(f(20_000))
        """,
        b"",
        b"20000\n",
    ),
    "setrlimit for a larger stack": (
        """
        import resource, sys
        soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
        resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
        sys.setrecursionlimit(10**6)
        def depth(n):
            return 0 if n == 0 else 1 + depth(n - 1)
        print(depth(50_000))
        """,
        b"",
        b"50000\n",
    ),
    "RecursionError caught": (
        "def f():\n    f()\ntry:\n    f()\nexcept RecursionError:\n    print(42)",
        b"",
        b"42\n",
    ),
    "signal.alarm as a stopwatch": (
        """
        import signal
        def late(*_):
            raise TimeoutError
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            while True:
                pass
        except TimeoutError:
            print(42)
        """,
        b"",
        b"42\n",
    ),
    "atexit": (
        "import atexit\natexit.register(print, 2)\natexit.register(print, 1)\nprint(0)",
        b"",
        b"0\n1\n2\n",
    ),
    "atexit after sys.exit()": (
        "import atexit, sys\natexit.register(print, 1)\nprint(0)\nsys.exit()",
        b"",
        b"0\n1\n",
    ),
    "output buffered until atexit": (
        """
        import atexit, io, sys
        buffer = io.BytesIO()
        sys.stdout = io.TextIOWrapper(buffer)
        @atexit.register
        def write():
            sys.stdout.flush()
            sys.__stdout__.buffer.write(buffer.getvalue())
        print(42)
        """,
        b"",
        b"42\n",
    ),
    "non-daemon thread that prints last": (
        """
        import threading, time
        def late():
            time.sleep(0.05)
            print(2)
        threading.Thread(target=late).start()
        print(1)
        """,
        b"",
        b"1\n2\n",
    ),
    "daemon thread left alone": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint(42)",
        b"",
        b"42\n",
    ),
    "thread pool": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n    print(*pool.map(abs, [-1, -2]))",
        b"",
        b"1 2\n",
    ),
    "_thread": (
        "import _thread, time\n_thread.start_new_thread(print, (1,))\ntime.sleep(0.05)\nprint(2)",
        b"",
        b"1\n2\n",
    ),
    "__del__ of what goes away": (
        "class C:\n    def __del__(self):\n        print(1)\nc = C()\ndel c\nprint(2)",
        b"",
        b"1\n2\n",
    ),
    "__del__ of what lives to the end": (
        "class C:\n    def __del__(self):\n        print(2)\nc = C()\nprint(1)",
        b"",
        b"1\n2\n",
    ),
    "own file over stdout left open": ("out = open(1, 'w')\nout.write('42')", b"", b"42"),
    "own buffer over stdout left open": (
        "import io, sys\nout = io.BufferedWriter(sys.stdout.buffer.raw)\nout.write(b'42')",
        b"",
        b"42",
    ),
    "weakref and gc": (
        "import gc, weakref\nclass C: pass\nc = C(); c.c = c; w = weakref.ref(c); del c\n"
        "gc.collect()\nprint(w())",
        b"",
        b"None\n",
    ),
    "gc.disable() and gc.freeze()": (
        "import gc\ngc.disable(); gc.freeze()\nprint(42)",
        b"",
        b"42\n",
    ),
    "eval and exec": ("exec('x = 40')\nprint(eval('x + 2'))", b"", b"42\n"),
    "match statement and walrus": (
        "match [1, 41]:\n    case [a, b] if (c := a + b):\n        print(c)",
        b"",
        b"42\n",
    ),
    "tabs, form feeds and BOM": ("\ufeffif 1:\n\tprint(42)\n\f\n", b"", b"42\n"),
    "CRLF source": ("if 1:\r\n    print(42)\r\n", b"", b"42\n"),
    "source without final newline": ("for i in range(1):\n    print(42)\n    # end", b"", b"42\n"),
    "warnings go to stderr": ("assert (42, 'always true')\nprint(1 is 1)", b"", b"True\n"),
    "float formatting": (
        "print(0.1 + 0.2, 1e16, 1 / 3, '%.3f' % 2.5)",
        b"",
        b"0.30000000000000004 1e+16 0.3333333333333333 2.500\n",
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_program_is_accepted(sandbox, name: str) -> None:
    source, stdin, expected = HONEST[name]
    verdict, run = judge_program(sandbox, textwrap.dedent(source), stdin, expected, GENEROUS)
    assert verdict is Verdict.ACCEPTED, about(run)
    assert b"solution.py" not in run.stderr or "warning" in name


@pytest.mark.parametrize(
    "source", ["print(0.3333333333)", "print('Case', 0.3333333333)"], ids=["alone", "after a word"]
)
def test_float_that_differs_by_3e_11_is_accepted_in_a_problem_about_floats(sandbox, source):
    expected = b"Case 0.333333333333\n" if "Case" in source else b"0.333333333333\n"
    verdict, run = judge_program(
        sandbox, source, b"", expected, GENEROUS, Comparison(tolerance=1e-6)
    )
    assert verdict is Verdict.ACCEPTED, about(run)


NUMPY = {
    "matrix product": (
        "import numpy as np\na = np.arange(6).reshape(2, 3)\nprint((a @ a.T).sum())",
        b"83\n",  # rows 0 1 2 and 3 4 5: products 5, 14, 14, 50
    ),
    "submodules": (
        "import numpy\nfrom numpy.linalg import det\nprint(round(det(numpy.eye(3) * 2)))",
        b"8\n",
    ),
    "seeded": (
        "import numpy as np\nnp.random.seed(1)\nprint(np.random.randint(0, 100, 3).tolist())",
        b"[37, 12, 72]\n",
    ),
    "reading stdin": (
        "import sys, numpy as np\nprint(np.array(sys.stdin.read().split(), np.int64).sum())",
        b"45\n",
    ),
    "imported in a function": (
        "def f():\n    from numpy.polynomial import Polynomial\n    return Polynomial([2, 1])(40)\n"
        "print(round(f()))",
        b"42\n",
    ),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_works_where_the_interpreter_has_it(opened, name: str) -> None:
    if opened.interpreter.numpy_version is None:
        pytest.skip(f"no numpy for programs: {opened.interpreter.note}")
    source, expected = NUMPY[name]
    verdict, run = judge_program(opened.sandbox, source, SUM, expected, GENEROUS)
    assert verdict is Verdict.ACCEPTED, about(run)


# --- Every other verdict -------------------------------------------------------------------------

RUNTIME_ERRORS: dict[str, tuple[str, int | None, int | None]] = {  # source, exit code, signal
    "exception": ("print(42)\n1 / 0", 1, None),
    "exception in a finally": ("try:\n    print(42)\nfinally:\n    int('x')", 1, None),
    "EOFError": ("print(42)\ninput()\ninput()\ninput()", 1, None),
    "missing module": ("import no_such_module", 1, None),
    "failed assertion": ("print(42)\nassert False", 1, None),
    "KeyboardInterrupt": ("print(42)\nraise KeyboardInterrupt", 1, None),
    "exit status 3": ("import sys\nprint(42)\nsys.exit(3)", 3, None),
    "exit(1)": ("print(42)\nexit(1)", 1, None),
    "exit with a message": ("import sys\nprint(42)\nsys.exit('sorry')", 1, None),
    "exit status -1": ("import sys\nprint(42)\nsys.exit(-1)", 255, None),
    "os._exit(7)": ("import os\nprint(42, flush=True)\nos._exit(7)", 7, None),
    "os.abort()": ("import os\nprint(42, flush=True)\nos.abort()", None, signal.SIGABRT),
    "segmentation fault": (
        "import ctypes\nprint(42, flush=True)\nctypes.string_at(0)",
        None,
        signal.SIGSEGV,
    ),
    "killed by itself": (
        "import os, signal\nprint(42, flush=True)\nos.kill(os.getpid(), signal.SIGTERM)",
        None,
        signal.SIGTERM,
    ),
    "stdout closed underneath": ("import os\nprint(42)\nos.close(1)", 120, None),
}


@pytest.mark.parametrize("name", RUNTIME_ERRORS)
def test_runtime_error_whatever_was_printed_before(sandbox, name: str) -> None:
    source, exit_code, signal_number = RUNTIME_ERRORS[name]
    verdict, run = judge_program(sandbox, source, SUM, b"42\n")
    assert verdict is Verdict.RUNTIME_ERROR, about(run)
    assert (run.exit_code, run.signal) == (exit_code, signal_number), about(run)


SLOW = {
    "busy": "while True:\n    pass",
    "busy in C": "sum(range(10**12))",
    "busy in two threads": (
        "import threading\ndef f():\n    while True: pass\n"
        "threading.Thread(target=f).start()\nthreading.Thread(target=f).start()"
    ),
    "right and then busy": "print(42, flush=True)\nwhile True:\n    pass",
    "busy and deaf": (
        "import signal\nfor n in (signal.SIGTERM, signal.SIGXCPU):\n"
        "    signal.signal(n, signal.SIG_IGN)\nwhile True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass"
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_busy_program_is_ended_within_a_second_of_cpu_time_over_the_limit(sandbox, name: str):
    verdict, run = judge_program(sandbox, SLOW[name], b"", b"42\n")
    assert verdict is Verdict.TIME_LIMIT, about(run)
    assert run.limit_hit is LimitHit.TIME
    assert LIMITS.cpu_time_s <= run.cpu_time_s <= LIMITS.cpu_time_s + 1, about(run)


@pytest.mark.parametrize(
    "source", ["import time\ntime.sleep(1000)", "import signal\nsignal.pause()"]
)
def test_sleeping_program_is_ended_by_the_clock(sandbox, source: str) -> None:
    verdict, run = judge_program(sandbox, source, b"", b"42\n")
    assert verdict is Verdict.TIME_LIMIT, about(run)
    assert run.cpu_time_s < LIMITS.cpu_time_s / 2, about(run)
    assert LIMITS.wall_time_s <= run.wall_time_s <= LIMITS.wall_time_s + 1, about(run)


def test_program_may_use_nearly_all_of_its_time(sandbox) -> None:
    source = "import time\nwhile time.process_time() < 0.4:\n    pass\nprint(42)"
    verdict, run = judge_program(sandbox, source, b"", b"42\n", replace(LIMITS, cpu_time_s=0.6))
    assert verdict is Verdict.ACCEPTED, about(run)


GREEDY = {
    "one huge object": "bytearray(8 << 30)",
    "a huge list": "print(len([0] * (1 << 30)))",
    "a growing list": "x = []\nwhile True:\n    x.append(bytearray(1 << 20))",
    "touched and given back": "x = bytearray(200 << 20)\ndel x\nprint(42)",
    "a growing string": "s = 'x'\nwhile True:\n    s += s",
    "a growing integer": "x = 1 << (1 << 33)",
}


@pytest.mark.parametrize("name", GREEDY)
def test_program_that_takes_too_much_memory_hits_that_limit(sandbox, name: str) -> None:
    limits = replace(LIMITS, cpu_time_s=5)
    verdict, run = judge_program(sandbox, GREEDY[name], b"", b"42\n", limits)
    assert verdict is Verdict.MEMORY_LIMIT, about(run)
    assert run.limit_hit is LimitHit.MEMORY


def test_memory_that_numpy_cannot_get_hits_the_memory_limit(opened) -> None:
    if opened.interpreter.numpy_version is None:
        pytest.skip(f"no numpy for programs: {opened.interpreter.note}")
    source = "import numpy as np\nprint(np.zeros(1 << 32).sum())"
    limits = replace(LIMITS, cpu_time_s=5)
    verdict, run = judge_program(opened.sandbox, source, b"", b"0.0\n", limits)
    assert verdict is Verdict.MEMORY_LIMIT, about(run)


def test_program_that_survives_its_memory_error_is_judged_by_its_output(sandbox) -> None:
    source = "try:\n    x = bytearray(8 << 30)\nexcept MemoryError:\n    print(42)"
    verdict, run = judge_program(sandbox, source, b"", b"42\n")
    assert verdict is Verdict.ACCEPTED, about(run)


TALKATIVE = {
    "stdout": "while True:\n    print('x' * 1000)",
    "one write": "print('x' * (2 << 20))",
    "stderr": "import sys\nwhile True:\n    print('x' * 1000, file=sys.stderr)",
    "right and then endless": "print(42)\nwhile True:\n    print()",
    "errors caught": (
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nwhile True:\n"
        "    try:\n        print('x' * 1000)\n    except OSError:\n        break"
    ),
}


@pytest.mark.parametrize("name", TALKATIVE)
def test_program_that_prints_too_much_hits_that_limit(sandbox, name: str) -> None:
    limits = replace(LIMITS, cpu_time_s=5)
    verdict, run = judge_program(sandbox, TALKATIVE[name], b"", b"42\n", limits)
    assert verdict is Verdict.OUTPUT_LIMIT, about(run)
    assert run.limit_hit is LimitHit.OUTPUT
    assert len(run.stdout) <= limits.output_bytes
    assert len(run.stderr) <= STDERR_KEPT_BYTES + len("\n...\n")


WRONG = {
    "another number": "print(41)",
    "nothing": "",
    "half of it": "print('4', end='')",
    "more than asked for": "print(42)\nprint(42)",
    "split in two": "print(4, 2)",
    "on stderr": "import sys\nprint(42, file=sys.stderr)",
    "UTF-16": "import sys\nsys.stdout.buffer.write('42'.encode('utf-16'))",
    "with a NUL": "print('42\\0')",
    "a float": "print(42.0)",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answer(sandbox, name: str) -> None:
    verdict, run = judge_program(sandbox, WRONG[name], b"", b"42\n")
    assert verdict is Verdict.WRONG_ANSWER, about(run)
    assert (run.exit_code, run.signal, run.limit_hit) == (0, None, None)


UNCOMPILABLE: dict[str, tuple[str | bytes, str]] = {  # source, what the message must contain
    "unclosed bracket": ("print(42", "SyntaxError: '(' was never closed"),
    "no Python": ("The answer is 42.", "SyntaxError"),
    "Python 2": ("print 42", "SyntaxError: Missing parentheses"),
    "indentation": ("if 1:\nprint(42)", "IndentationError"),
    "tabs against blanks": ("if 1:\n        print(1)\n\tprint(2)", "TabError"),
    "return outside a function": ("print(42)\nreturn", "SyntaxError: 'return' outside function"),
    "a second __future__": ("print(42)\nfrom __future__ import annotations", "SyntaxError"),
    "NUL": ("print(42)\0", "null bytes"),
    "invalid UTF-8": (b"print('\xff')", "SyntaxError"),
    "unknown coding": ("# coding: no-such-coding\nprint(42)", "SyntaxError"),
    "a surrogate": ("print('\ud800')".encode("utf-8", "surrogatepass"), "SyntaxError"),
    "100000 parentheses": ("(" * 100_000 + ")" * 100_000, ""),
    "100000 minus signs": ("-" * 100_000 + "1", ""),
    "100000 additions": ("print(" + "1+" * 100_000 + "1)", ""),
    "100000 attributes": ("a" + ".b" * 100_000, ""),
    "integer literal of 5 MB": ("x = " + "9" * 5_000_000, ""),
}


@pytest.mark.parametrize("name", UNCOMPILABLE)
def test_compile_error_is_one_result_with_the_compilers_message(sandbox, name: str) -> None:
    source, message = UNCOMPILABLE[name]
    (run,) = run_all(sandbox, source, [b"1", b"2", b"3"])
    assert judge_run(run, b"42\n") is Verdict.COMPILE_ERROR, about(run)
    assert not run.compiled
    assert run.stdout == b""
    text = run.stderr.decode()
    assert message in text
    assert text.strip()
    assert set(re.findall(r'File "([^"]*)"', text)) <= {"solution.py"}


def test_compilation_that_takes_for_ever_is_a_compile_error(sandbox) -> None:
    source = "x = " + " + ".join(f"(2 ** 4 ** {i % 7})" for i in range(20_000))
    chained = "\n".join(source.replace("x", f"x{i}", 1) for i in range(40))
    limits = replace(LIMITS, compile_time_s=0.5, memory_mib=1024)
    start = time.monotonic()
    (run,) = run_all(sandbox, chained, [b""], limits)
    assert judge_run(run, b"42\n") is Verdict.COMPILE_ERROR, about(run)
    assert time.monotonic() - start < 30


def test_time_of_the_compilation_is_not_the_programs(sandbox) -> None:
    body = "".join(f"{' ' * i}try: pass\n{' ' * i}finally:\n" for i in range(1, 15))
    for num_functions in (40, 80, 160, 320):
        functions = (f"def f{i}():\n{body}{' ' * 15}pass\n" for i in range(num_functions))
        source = "".join(functions) + "print(42)"
        start = time.process_time()
        compile(source, "solution.py", "exec")
        compile_time_s = time.process_time() - start
        if compile_time_s > 2.5:  # more than the kernel gives to a program with a limit of 0.1 s
            break
    limits = Limits(cpu_time_s=0.1, memory_mib=256, compile_time_s=20 * compile_time_s)
    verdict, run = judge_program(sandbox, source, b"", b"42\n", limits)
    assert verdict is Verdict.ACCEPTED, about(run)


def test_hostile_system_call_is_a_security_violation(sandbox) -> None:
    if not sandbox.filters_system_calls:
        pytest.skip("this sandbox does not filter system calls")
    source = "import ctypes\nprint(42, flush=True)\nctypes.CDLL(None).ptrace(16, 1, 0, 0)"
    verdict, run = judge_program(sandbox, source, b"", b"42\n")
    assert verdict is Verdict.SECURITY_VIOLATION, about(run)
    assert (run.limit_hit, run.signal) == (LimitHit.SECURITY, signal.SIGSYS)


# --- What a run says about itself ----------------------------------------------------------------


def test_traceback_is_pythons_own_with_the_programs_frames_only(sandbox) -> None:
    source = """
def half(n):
    return 1 / n

class C:
    def method(self):
        half(0)

C().method()
"""
    assert run_program(sandbox, source).stderr.decode() == (
        "Traceback (most recent call last):\n"
        '  File "solution.py", line 9, in <module>\n'
        '  File "solution.py", line 7, in method\n'
        '  File "solution.py", line 3, in half\n'
        "ZeroDivisionError: division by zero\n"
    )


RAISING = {
    "RecursionError": "def f():\n    f()\nf()",
    "a chain": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError from e",
    "an exception group": "raise ExceptionGroup('x', [ValueError(1)])",
    "in a thread": (
        "import threading\nt = threading.Thread(target=int, args=('x',))\n"
        "t.start(); t.join(); 1 / 0"
    ),
    "in atexit": "import atexit\natexit.register(int, 'x')\n1 / 0",
    "EOFError": "input()",
    "in exec": "exec('1 / 0')",
    "SyntaxError in exec": "exec('(')",
    "unprintable": "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E",
    "open() of a missing file": "open('missing')",
    "open() called wrongly": "open()",
    "sys.excepthook of its own": (
        "import sys\nsys.excepthook = lambda *a: print(a[0], file=sys.stderr)\n1 / 0"
    ),
}


@pytest.mark.parametrize("name", RAISING)
def test_no_frame_of_the_sandboxs_own_shows_in_what_a_program_prints(sandbox, name: str) -> None:
    run = run_program(sandbox, RAISING[name])
    assert run.exit_code == 1, about(run)
    text = with_source_lines(run.stderr.decode(), RAISING[name])
    assert text
    for word in ("codefeedback", "<locals>", "zygote", "one_test"):
        assert word not in text
    files = set(re.findall(r'File "([^"]*)"', text))
    ours = {file for file in files - {"solution.py", "<string>"} if "/lib/python3" not in file}
    assert not ours, text


def test_long_stderr_keeps_its_head_and_its_tail(sandbox) -> None:
    source = "import sys\nsys.stderr.write('head' + 'x' * 500_000 + 'tail')"
    stderr = run_program(sandbox, source).stderr
    assert stderr[:4] + stderr[-4:] == b"headtail"
    assert len(stderr) <= STDERR_KEPT_BYTES + len("\n...\n")


def test_cpu_time_wall_time_and_memory_are_those_of_the_program(sandbox) -> None:
    source = """
import time
x = b"x" * (40 << 20)
while time.process_time() < 0.3:
    pass
time.sleep(0.2)
"""
    idle = run_program(sandbox, "pass")
    run = run_program(sandbox, source, limits=GENEROUS)
    assert (run.exit_code, run.signal, run.limit_hit) == (0, None, None)
    assert idle.cpu_time_s < 0.1
    assert idle.cpu_time_s <= idle.wall_time_s + 0.02
    assert 0.2 <= run.cpu_time_s <= 0.6, about(run)
    assert run.wall_time_s >= run.cpu_time_s + 0.15, about(run)
    assert 3 < idle.peak_memory_mib < 60, about(idle)
    assert 35 <= run.peak_memory_mib - idle.peak_memory_mib <= 55, about(run)


@pytest.fixture
def busy_machine() -> Iterator[int]:
    """Six processes that keep one CPU busy; its number."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no CPU affinity on this system")
    cpu = min(os.sched_getaffinity(0))
    source = f"import os\nos.sched_setaffinity(0, {{{cpu}}})\nwhile True: pass"
    # Each in a session of its own, lest the scheduler count them as one against the program.
    processes = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", source], start_new_session=True)
        for _ in range(6)
    ]
    yield cpu
    for process in processes:
        process.kill()
        process.wait()


def test_program_starved_by_others_keeps_its_verdict(sandbox, busy_machine: int) -> None:
    source = f"""
import os, time
os.sched_setaffinity(0, {{{busy_machine}}})
while time.process_time() < 0.25:
    pass
print(42)
"""
    limits = replace(LIMITS, cpu_time_s=0.4)
    verdict, run = judge_program(sandbox, source, b"", b"42\n", limits)
    assert verdict is Verdict.ACCEPTED, about(run)
    assert run.cpu_time_s < 0.4
    assert run.wall_time_s > limits.wall_time_s / 2, "the machine was not busy enough to tell"


def test_programs_that_end_before_anybody_looks_are_judged(sandbox, busy_machine: int) -> None:
    file = InputFile(b"")
    for _ in range(1000 if isinstance(sandbox, ZygoteSandbox) else 2):
        (run,) = sandbox.run(b"x = (", [file], LIMITS)
        assert not run.compiled
        assert b"SyntaxError" in run.stderr
    file.close()


# --- Several tests of one program, and several programs ------------------------------------------


def test_repeated_runs_print_the_same(sandbox) -> None:
    source = """
import random
print(hash("abc"), hash((1, "x")), {"a", "b", "c", "d"}, random.random(), random.sample("abc", 3))
"""
    runs = [run for _ in range(2) for run in run_all(sandbox, source, [b"", b""])]
    assert [run.exit_code for run in runs] == [0] * 4
    assert len({run.stdout for run in runs}) == 1, [run.stdout for run in runs]


def test_fifty_inputs_give_fifty_results_in_their_order(sandbox) -> None:
    inputs = [b"%d\n" % i for i in range(50)]
    runs = run_all(sandbox, "print(int(input()) ** 2)", inputs)
    assert [run.stdout for run in runs] == [b"%d\n" % i**2 for i in range(50)]


def test_one_failing_input_says_nothing_about_the_others(sandbox) -> None:
    source = "n = int(input())\nif n == 1:\n    while True: pass\nprint(1 // n)"
    runs = run_all(sandbox, source, [b"3", b"1", b"0", b"2"])
    assert [judge_run(run, b"0\n") for run in runs] == [
        Verdict.ACCEPTED,
        Verdict.TIME_LIMIT,
        Verdict.RUNTIME_ERROR,
        Verdict.ACCEPTED,
    ]


def test_every_test_of_a_program_starts_afresh(sandbox) -> None:
    source = """
import builtins, collections, math, os, random, sys
fresh = (
    not hasattr(math, "mark"), "mark" not in os.environ, sys.getrecursionlimit() == 1000,
    not hasattr(builtins, "mark"), sys.argv == ["solution.py"], "mark" not in sys.modules,
    "mark" not in globals(), os.getcwd() != "/usr", print is builtins.print,
)
print(all(fresh), fresh, random.random(), input())
math.mark = builtins.mark = sys.modules["mark"] = mark = 1
os.environ["mark"] = "1"
sys.setrecursionlimit(5000)
sys.argv.append("x")
os.chdir("/usr")
random.seed(5)
builtins.print = None
"""
    runs = run_all(sandbox, source, [b"x\n"] * 5)
    assert [run.exit_code for run in runs] == [0] * 5, about(runs[-1])
    assert len({run.stdout for run in runs}) == 1
    assert runs[0].stdout.startswith(b"True"), about(runs[0])


def test_one_input_file_serves_many_runs_from_its_start(sandbox) -> None:
    with contextlib.closing(InputFile(SUM)) as file:
        for _ in range(2):
            runs = list(sandbox.run(b"print(open(0).read())", [file, file, file], LIMITS))
            assert [run.stdout for run in runs] == [SUM + b"\n"] * 3


def test_results_come_one_by_one_and_closing_cancels_the_rest(sandbox) -> None:
    before = jail_processes()
    source = "import time\nn = int(input())\nprint(n, flush=True)\ntime.sleep(n)"
    files = [InputFile(data) for data in (b"0", b"300", b"0")]
    start = time.monotonic()
    runs = sandbox.run(source.encode(), files, Limits(cpu_time_s=1000, memory_mib=128))
    assert next(runs).stdout == b"0\n"
    runs.close()
    assert time.monotonic() - start < 60
    assert wait_until(lambda: jail_processes() <= before)
    for file in files:
        file.close()
    assert run_program(sandbox, "print(42)").stdout == b"42\n"


def test_a_test_that_has_just_begun_ends_with_its_submission(sandbox) -> None:
    before = jail_processes()
    source = b"import time\nif input(): time.sleep(10_000)"
    files = [InputFile(data) for data in (b"\n", b"\n", b"x\n", b"x\n")]
    limits = Limits(cpu_time_s=1000, memory_mib=128)
    for delay_us in range(0, 2000, 50):
        runs = sandbox.run(source, files, limits)
        next(runs)
        next(runs)
        until = time.perf_counter() + delay_us / 1e6
        while time.perf_counter() < until:
            pass
        runs.close()
    assert wait_until(lambda: jail_processes() <= before)
    for file in files:
        file.close()


def test_dropped_generator_leaves_no_process(sandbox) -> None:
    before = jail_processes()
    file = InputFile(b"")
    runs = sandbox.run(b"import time\nprint(42)", [file, file, file], LIMITS)
    next(runs)
    del runs
    assert wait_until(lambda: jail_processes() <= before)
    file.close()


def test_no_inputs_compile_and_run_nothing(sandbox) -> None:
    (run,) = run_all(sandbox, "print(42)\nimport sys\nsys.exit(3)", [])
    assert run.compiled
    assert (run.stdout, run.stderr, run.limit_hit) == (b"", b"", None)
    (run,) = run_all(sandbox, "print(", [])
    assert not run.compiled
    assert b"SyntaxError" in run.stderr


def test_closed_sandbox_has_no_process_and_starts_again_with_its_next_program(sandbox) -> None:
    sandbox.close()
    others = jail_processes()
    run_program(sandbox, "print(42)")
    sandbox.close()
    assert wait_until(lambda: jail_processes() <= others)
    sandbox.close()
    assert run_program(sandbox, "print(42)").stdout == b"42\n"


def test_many_programs_leave_no_descriptor_open(sandbox) -> None:
    run_program(sandbox, "print(42)")
    before = len(os.listdir("/proc/self/fd"))
    for source in ("print(42)", "print(", "1 / 0") * 5:
        run_all(sandbox, source, [b"1", b"2"])
    assert len(os.listdir("/proc/self/fd")) == before

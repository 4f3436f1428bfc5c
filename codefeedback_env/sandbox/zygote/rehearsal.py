"""Inside the jail: runs a sample program before the first real one.

What the first run of anything writes once and for all is written before the zygote's memory is
shared, and no test pays a page fault for it: symbols bound, methods and attributes cached, the
interpreter's instructions fitted to their operands.
"""

import _socket
import os
from array import array

from codefeedback_env.sandbox.zygote import program
from codefeedback_env.sandbox.zygote.children import ChildWatcher
from codefeedback_env.sandbox.zygote.leader import preparations_for_tests, run_tests
from codefeedback_env.sandbox.zygote.seccomp import Filter
from codefeedback_env.sandbox.zygote.wire import CHILD_REPORT

_NUM_RUNS = 20  # instructions are fitted after 8 calls or so
_LIMITS = {"cpu_time_s": 10.0, "wall_time_s": 20.0, "backstop_s": 200.0}
_INPUT = b"3\n1 2 3\n" * 4
_SAMPLE = b"""\
import sys
from collections import defaultdict

def solve(numbers):
    seen = defaultdict(list)
    for index, number in enumerate(numbers):
        seen[number % 2].append(index)
    pairs = sorted(((value, key) for key, value in seen.items()), key=lambda pair: pair[1])
    text = ", ".join(f"{key}: {max(value):3d}" for value, key in pairs)
    return text.strip().split(), {number: 1 for number in set(numbers)}

def main():
    read = sys.stdin.readline
    count = int(read())
    numbers = list(map(int, read().split()))
    numbers.sort(reverse=True)
    print(*solve(numbers)[0])
    print(count, sum(numbers), len(numbers[1:]), min(numbers), 7 / 2, sep="\\n", end="\\n")
    count = int(input())
    first, *others = map(int, input().strip().split())
    print("%d %s" % (count, "YES" if first in others else "NO"), [0] * count)
    grid = [[0 for _ in range(3)] for _ in range(3)]
    for i in range(3):
        for j in range(3):
            grid[i][j] += i * j
    try:
        numbers.pop(), grid[3]
    except IndexError:
        sys.stdout.write(str(grid[2][2]) + "\\n")
    rest = sys.stdin.read().split()
    while rest:
        rest.pop()

if __name__ == "__main__":
    main()
"""


def rehearse(watcher: ChildWatcher, program_filter: Filter, has_namespaces: bool) -> None:
    """Run the sample in this process, then in children of it.

    Descriptors 0 and 1 must be regular files; the standard streams are new ones afterwards.

    Raises:
        RuntimeError: the sample did not run to its end.
    """
    code = program.compile_source(_SAMPLE)
    os.pwrite(0, _INPUT, 0)
    for _ in range(_NUM_RUNS):
        program.prepare_interpreter()
        os.lseek(0, 0, os.SEEK_SET)
        _expect_success(program.run(code, program.fresh_main()))
    preparations = preparations_for_tests(program_filter, has_namespaces)
    complaints = os.dup(2)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        for _ in range(_NUM_RUNS):
            os.lseek(0, 0, os.SEEK_SET)
            watcher.set_limits(_LIMITS)
            fds = array("i", [os.dup(0), os.dup(1), os.dup(complaints)])
            run_tests(ours, code, program.fresh_main(), fds, watcher, preparations)
            _, status, *_ = CHILD_REPORT.unpack(theirs.recv(CHILD_REPORT.size))
            _expect_success(status)
    finally:
        os.dup2(complaints, 2)
        os.close(complaints)
    ours.close()
    theirs.close()


def _expect_success(status: int) -> None:
    if status:
        raise RuntimeError(f"the sample program ended with status {status}")

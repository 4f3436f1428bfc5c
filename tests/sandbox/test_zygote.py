"""What makes a forked test cheap, apart from the jail."""

import runpy
import struct
import subprocess
import sys

import pytest

from codefeedback_env.sandbox.results import child_report
from codefeedback_env.sandbox.zygote import mappings, wire

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes need Linux")


def test_child_report_reads_times_and_memory_as_the_kernel_writes_them():
    reason_and_status = struct.pack("@ii", wire.KILLED_FOR_TIME, 9)
    clock = struct.pack("@llll", 100, 750_000_000, 102, 250_000_000)
    usage = struct.pack("@lllll", 1, 500_000, 0, 250_000, 20 * 1024) + bytes(13 * 8)

    report = child_report(reason_and_status + clock + usage)

    cpu_time_s, wall_time_s, peak_mib = 1.5 + 0.25, 102.25 - 100.75, 20.0
    expected = (wire.RUNNING, wire.KILLED_FOR_TIME, 9, cpu_time_s, wall_time_s, peak_mib)
    assert report == pytest.approx(expected)


_ON_HUGE_PAGES = """
import runpy, sys
module = runpy.run_path(sys.argv[1])
start, end = module["_read_only_part_of_interpreter"]()
with open("/proc/self/maps") as maps:
    for line in maps:
        places, access = line.split()[:2]
        first, last = (int(place, 16) for place in places.split("-"))
        assert not (first < end and last > start and "w" in access), line
for _ in range(2):
    module["use_huge_pages_for_code"]()
import decimal, json
print(json.dumps({"root": str(decimal.Decimal(2).sqrt())[:6]}), sorted("code"))
"""


def test_interpreter_goes_on_after_its_code_was_moved_to_huge_pages():
    command = [sys.executable, "-I", "-c", _ON_HUGE_PAGES, mappings.__file__]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == """{"root": "1.4142"} ['c', 'd', 'e', 'o']\n"""


_MERGED = """
import runpy, sys
module = runpy.run_path(sys.argv[1])
def mappings_of_libraries():
    with open("/proc/self/maps") as maps:
        return sum(".so" in line for line in maps)
numbers = [mappings_of_libraries()]
for _ in range(2):
    module["merge_mappings"]()
    numbers.append(mappings_of_libraries())
import decimal, json
print(json.dumps({"root": str(decimal.Decimal(2).sqrt())[:6]}))
print(*numbers)
"""


def test_interpreter_goes_on_after_mappings_of_its_libraries_became_fewer():
    command = [sys.executable, "-I", "-c", _MERGED, mappings.__file__]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    result, numbers = ended.stdout.splitlines()
    assert result == """{"root": "1.4142"}"""
    before, after, again = map(int, numbers.split())
    assert after < 0.7 * before
    assert again == after


def test_sample_program_of_the_rehearsal_reads_all_its_input():
    rehearsal = runpy.run_module("codefeedback_env.sandbox.zygote.rehearsal")

    ended = subprocess.run(
        [sys.executable, "-I", "-c", rehearsal["_SAMPLE"]],
        input=rehearsal["_INPUT"],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.count(b"\n") == 8

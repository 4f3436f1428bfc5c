import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codefeedback_env.cli import main
from codefeedback_env.datasets import cache_build, cached_source, inspection
from codefeedback_env.datasets.cache_build import JOURNAL, PART_ROWS, build_cache
from codefeedback_env.datasets.cache_place import cache_directory
from codefeedback_env.datasets.cached_source import CachedSource, cache_required
from codefeedback_env.datasets.code_contests import CodeContestsSource, load_code_contests
from codefeedback_env.datasets.problem_cache import INDEX, MANIFEST, RECORDS, ProblemCache
from codefeedback_env.datasets.problem_codec import decode_problem, encode_problem
from codefeedback_env.datasets.problem_set import ProblemSet
from codefeedback_env.datasets.rows import open_rows
from codefeedback_env.datasets.summary_columns import from_columns, to_columns
from codefeedback_env.errors import ConfigError, DatasetError
from codefeedback_env.make import load_problems
from codefeedback_env.problem import FunctionStyle, FunctionTask, Problem, TestCase

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MakeRow = Callable[..., dict[str, Any]]
WriteRows = Callable[..., Path]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the caches of a test lie."""
    folder = tmp_path / "caches"
    monkeypatch.setenv("CODEFEEDBACK_CACHE", str(folder))
    return folder


def silent(num_done: int, num_rows: int) -> None:
    """No progress."""


@pytest.fixture
def make_rows(make_row: MakeRow) -> Callable[[int], list[dict[str, Any]]]:
    """Rows of which every third has the same name, and which all differ."""

    def make(num_rows: int) -> list[dict[str, Any]]:
        return [
            make_row(
                name="twin" if i % 3 == 0 else f"p{i}",
                description=f"Print {i}. é\ud800",
                private_tests={"input": [f"{i}\n"] * (i % 2), "output": [f"{i}"] * (i % 2)},
                cf_tags=["dp"] if i % 2 else [],
            )
            for i in range(num_rows)
        ]

    return make


@pytest.fixture
def write_shards(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Path]:
    """Rows in two parquet files."""

    def write(rows: list[dict[str, Any]]) -> Path:
        folder = tmp_path / "data"
        folder.mkdir()
        rows = [{**row, "description": row["description"].replace("\ud800", "")} for row in rows]
        half = len(rows) // 2
        for number, part in enumerate((rows[:half], rows[half:])):
            path = folder / f"train-{number:05}-of-00002.parquet"
            pq.write_table(pa.Table.from_pylist(part), path, row_group_size=50)
        return folder

    return write


def built(path: Path, dataset: str | None = "code_contests", split: str = "train") -> ProblemSet:
    with cache_required(silent):
        problems = load_problems(dataset, path=path, split=split, exclude=None)
    assert isinstance(problems.source, CachedSource)
    return problems


def assert_same(one: ProblemSet, other: ProblemSet) -> None:
    assert one.summaries == other.summaries
    assert one.fingerprint == other.fingerprint
    for problem, expected in zip(one, other, strict=True):
        assert problem == expected
        assert problem.source == expected.source
        for read in (ProblemSet.reference_programs, ProblemSet.wrong_programs):
            assert read(one, problem.id) == read(other, problem.id)


# Problems as bytes


PROBLEMS = [
    Problem(id="x", statement="s"),
    Problem(
        id="é\ud800",
        statement="\0",
        public_tests=(TestCase("", ""), TestCase("1\n", "é")),
        private_tests=(TestCase("a" * 100_000, "b"),),
        generated_tests=(TestCase("\ud800", "\r\n"),) * 3,
        time_limit_s=2.5,
        memory_limit_mib=256,
        checker="any",
        difficulty="easy",
        tags=("a", "b"),
        function=FunctionTask(name="f", style=FunctionStyle.CALL, rule="apps", reply_prefix="p"),
        source={"judge": "codeforces"},
    ),
    # More than LARGEST_PACKED_BYTES, so left as it is.
    Problem(id="big", statement="s", generated_tests=(TestCase("a" * 2**21, "b"),)),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: ascii(p.id))
def test_a_problem_comes_back_from_its_bytes_as_it_was(problem: Problem) -> None:
    again = decode_problem(encode_problem(problem))
    assert again == problem
    assert again.source == problem.source
    assert again.function == problem.function


@pytest.mark.parametrize("data", [b"", b"z", b"-", b"-" + bytes(40), b"zjunk", b"?junkjunkjunk"])
def test_other_bytes_are_no_problem(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part of the bytes is wrong
        decode_problem(data)


def test_bytes_that_were_cut_short_are_no_problem() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        decode_problem(encode_problem(PROBLEMS[2])[:-1])


def test_summaries_come_back_from_their_columns(make_row: MakeRow, write_rows: WriteRows) -> None:
    summaries = load_code_contests(write_rows([make_row(), make_row(difficulty=1)])).summaries
    assert from_columns(json.loads(json.dumps(to_columns(summaries)))) == summaries


# What a cache gives


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "jsonl.gz"])
def test_a_cached_set_is_the_set_itself(
    kind: str,
    make_rows: Callable[[int], list[dict[str, Any]]],
    write_shards: Callable[..., Path],
    write_rows: WriteRows,
) -> None:
    rows = make_rows(2 * PART_ROWS + 10)
    path = write_shards(rows) if kind == "parquet" else write_rows(rows, f"rows.{kind}")
    plain = load_code_contests(path, "train")
    assert isinstance(plain.source, CodeContestsSource)
    assert_same(built(path), plain)
    assert_same(load_code_contests(path, "train"), plain)


@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        ("code_contests", "codecontests_test_sample.jsonl.gz"),
        ("apps", "apps_sample.jsonl.gz"),
        ("apps", "apps_mapcoder_sample.jsonl.gz"),
        ("taco", "taco_sample.jsonl.gz"),
        ("live_code_bench", "livecodebench_sample.jsonl.gz"),
    ],
)
def test_real_rows_are_the_same_from_a_cache(dataset: str, file: str, sample_data: Path) -> None:
    path = sample_data / file
    plain = load_problems(dataset, path=path, exclude=None, split="release_v6")
    assert not isinstance(plain.source, CachedSource)
    assert_same(built(path, dataset, "release_v6"), plain)


def test_a_span_of_dates_has_a_cache_of_its_own(sample_data: Path) -> None:
    path = sample_data / "livecodebench_sample.jsonl.gz"
    dates = sorted(s.date for s in built(path, "live_code_bench", "release_v6").summaries if s.date)
    split = f"..{dates[0].isoformat()}"
    part = built(path, "live_code_bench", split)
    assert 0 < len(part) < len(dates)
    assert_same(part, load_problems("live_code_bench", path=path, split=split))


def test_a_cache_is_opened_without_reading_a_single_row(
    make_rows: Callable[[int], list[dict[str, Any]]],
    write_shards: Callable[..., Path],
    caches: Path,
) -> None:
    path = write_shards(make_rows(20))
    built(path)
    script = (
        "import sys\n"
        "from codefeedback_env import load_problems\n"
        f"problems = load_problems('code_contests', path={str(path)!r}, split='train')\n"
        "assert len(problems) == 20 and problems[7].id == 'p7'\n"
        "assert 'pyarrow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_row_that_cannot_be_read_is_still_an_error_of_its_own(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    rows = [make_row(), make_row(name="bad", time_limit={"seconds": -1}), make_row(name="good")]
    problems = built(write_rows(rows))
    assert problems["good"].id == "good"
    with pytest.raises(DatasetError, match=r"row 2, field 'time_limit' is -1\.0 seconds"):
        _ = problems["bad"]


def test_a_row_without_a_summary_is_an_error_that_names_it(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    with pytest.raises(DatasetError, match=r"row 2, field 'name' is missing"):
        built(write_rows([make_row(), make_row(name=...)]))


def test_a_cached_set_can_be_pickled_and_shared_by_threads(
    make_rows: Callable[[int], list[dict[str, Any]]], write_shards: Callable[..., Path]
) -> None:
    problems = built(write_shards(make_rows(60)))
    data = pickle.dumps(problems.source)
    assert len(data) < 5000
    again = ProblemSet(pickle.loads(data))
    expected = list(problems)
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(list(again) == expected)) for _ in "123"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 3


def test_looking_at_the_data_as_it_is_stored_goes_past_the_cache(
    make_row: MakeRow, write_rows: WriteRows
) -> None:
    shown = {"input": ["1\n", "9\n"], "output": ["2\n", "18\n"]}
    path = write_rows([make_row(private_tests=shown)])
    problems = built(path)
    assert len(problems[0].private_tests) == 1  # the input that a public test shows went
    with inspection.keeping_all_tests():
        assert len(problems[0].private_tests) == 2
    with inspection.leaving_out_unreadable_rows():
        assert not isinstance(load_code_contests(path, "train").source, CachedSource)


# When a cache is built and when it is used


def test_small_data_is_not_cached_by_itself(
    make_row: MakeRow, write_rows: WriteRows, caches: Path
) -> None:
    assert not isinstance(load_code_contests(write_rows([make_row()])).source, CachedSource)
    assert not caches.exists()


def test_large_data_is_cached_when_it_is_opened(
    make_row: MakeRow,
    write_rows: WriteRows,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_rows([make_row()])
    monkeypatch.setattr(cached_source, "WORTH_A_CACHE_BYTES", path.stat().st_size)
    assert isinstance(load_code_contests(path).source, CachedSource)
    said = capsys.readouterr()
    assert said.out == ""
    assert "building the cache of code_contests (train), 1 rows, in " in said.err
    load_code_contests(path)
    assert capsys.readouterr().err == ""


def test_changed_data_gets_a_cache_of_its_own(
    make_row: MakeRow, write_rows: WriteRows, caches: Path
) -> None:
    path = write_rows([make_row()])
    built(path)
    write_rows([make_row(description="Changed.")])
    assert not isinstance(load_code_contests(path).source, CachedSource)
    assert built(path)[0].statement == "Changed."
    assert len(list(caches.glob("code_contests-train-*"))) == 2


def test_changed_code_gets_a_cache_of_its_own(
    make_row: MakeRow, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows([make_row()])
    old = built(path)
    monkeypatch.setattr("codefeedback_env.datasets.cache_place._reader_digest", lambda: "other")
    assert not isinstance(load_code_contests(path).source, CachedSource)
    assert built(path).source.cache.folder != old.source.cache.folder  # type: ignore[attr-defined]


def test_off_turns_caches_off(
    make_row: MakeRow, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows([make_row()])
    built(path)
    monkeypatch.setenv("CODEFEEDBACK_CACHE", "off")
    assert not isinstance(load_code_contests(path).source, CachedSource)
    with pytest.raises(ConfigError, match="CODEFEEDBACK_CACHE=off turns caches off; unset it"):
        built(path)


def test_caches_lie_in_the_users_cache_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEFEEDBACK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_directory() == Path("/somewhere/codefeedback/caches")


# Interruptions and other processes


class Stopped(Exception):
    """In place of a power cut."""


def stop_after(num_rows: int) -> Callable[[int, int], None]:
    def progress(num_done: int, total: int) -> None:
        if num_done >= num_rows:
            raise Stopped

    return progress


def build_until(source: CodeContestsSource, folder: Path, num_rows: int) -> None:
    with pytest.raises(Stopped):
        build_cache(source, folder, stop_after(num_rows))


class CountingSource(CodeContestsSource):
    """Says which rows were read."""

    def __init__(self, path: Path) -> None:
        super().__init__(open_rows(path, "train"), split="train")
        self.read: list[int] = []

    def read_row(self, index: int) -> Any:
        self.read.append(index)
        return super().read_row(index)


@pytest.fixture
def many(make_rows: Callable[[int], list[dict[str, Any]]], write_rows: WriteRows) -> Path:
    """Rows for three parts, the last of which has one row."""
    return write_rows(make_rows(2 * PART_ROWS + 1))


def test_an_interrupted_build_goes_on_after_the_parts_that_are_finished(
    many: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    build_until(CountingSource(many), folder, PART_ROWS)
    assert not folder.exists()
    again = CountingSource(many)
    build_cache(again, folder, silent)
    assert again.read == list(range(PART_ROWS, 2 * PART_ROWS + 1))
    whole = tmp_path / "whole"
    build_cache(CountingSource(many), whole, silent)
    for file in whole.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("garbage", [b"", b'{"num_rows": 300, "num_by', b"\0\0\0"])
def test_what_a_build_had_not_finished_is_written_anew(
    many: Path, tmp_path: Path, garbage: bytes
) -> None:
    folder = tmp_path / "cache"
    build_until(CountingSource(many), folder, PART_ROWS)
    growing = tmp_path / ".cache.building"
    with (growing / JOURNAL).open("ab") as file:
        file.write(garbage)
    with (growing / RECORDS).open("ab") as file:
        file.write(b"half a problem")
    build_cache(CountingSource(many), folder, silent)
    source = CountingSource(many)
    assert_same(ProblemSet(CachedSource(ProblemCache(folder), source)), ProblemSet(source))


@pytest.mark.parametrize("lose", ["records", "journal"])
def test_files_that_do_not_fit_together_are_built_from_the_start(
    many: Path, tmp_path: Path, lose: str
) -> None:
    folder = tmp_path / "cache"
    build_until(CountingSource(many), folder, PART_ROWS)
    growing = tmp_path / ".cache.building"
    if lose == "records":  # a disk that lost what it had promised to keep
        os.truncate(growing / RECORDS, 10)
    else:
        (growing / JOURNAL).write_bytes(b"{}\n")
    again = CountingSource(many)
    build_cache(again, folder, silent)
    assert again.read == list(range(2 * PART_ROWS + 1))
    assert len(ProblemCache(folder)) == 2 * PART_ROWS + 1


BUILD = """
import sys, time
from codefeedback_env.datasets.cache_build import build_cache
from codefeedback_env.datasets.code_contests import CodeContestsSource
from codefeedback_env.datasets.rows import open_rows
from pathlib import Path

path, folder, pause_s = sys.argv[1:]

def progress(done, total):
    print(done, flush=True)
    time.sleep(float(pause_s))

source = CodeContestsSource(open_rows(path, "train"), split="train")
build_cache(source, Path(folder), progress)
"""


def start_build(path: Path, folder: Path, pause_s: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BUILD, str(path), str(folder), str(pause_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lines(process: "subprocess.Popen[str]") -> Iterator[int]:
    assert process.stdout is not None
    return map(int, process.stdout)


def test_a_killed_build_goes_on_in_another_process(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    killed = start_build(many, folder, 60)
    try:
        assert next(lines(killed)) == 0
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    killed = start_build(many, folder, 0.3)
    try:
        assert 0 in (seen := lines(killed))
        assert next(seen) == PART_ROWS
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    last = start_build(many, folder, 0)
    assert list(lines(last)) == [PART_ROWS, 2 * PART_ROWS, 2 * PART_ROWS + 1]
    assert last.wait() == 0
    source = CountingSource(many)
    assert_same(ProblemSet(CachedSource(ProblemCache(folder), source)), ProblemSet(source))


def test_of_two_processes_one_builds_and_the_other_waits(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    processes = [start_build(many, folder, 0.3) for _ in range(2)]
    parts = [list(lines(process)) for process in processes]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(parts) == [[], [0, PART_ROWS, 2 * PART_ROWS, 2 * PART_ROWS + 1]]
    assert [entry.name for entry in tmp_path.glob(".cache*")] == []
    assert len(ProblemCache(folder)) == 2 * PART_ROWS + 1


# Disks that refuse


def test_where_caches_cannot_be_written_the_data_itself_is_read(
    make_row: MakeRow,
    write_rows: WriteRows,
    caches: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_rows([make_row()])
    caches.write_text("a file, so no directory")
    monkeypatch.setattr(cached_source, "WORTH_A_CACHE_BYTES", 1)
    with pytest.warns(UserWarning, match=r"cannot be written .* Until then the data itself is"):
        problems = load_code_contests(path)
    assert problems[0].id == "1_A. Doubling"
    with pytest.raises(DatasetError, match=r"cannot be written .*CODEFEEDBACK_CACHE name a direc"):
        built(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_in_a_directory_without_write_permission_is_read(
    make_row: MakeRow, write_rows: WriteRows, caches: Path
) -> None:
    path = write_rows([make_row()])
    built(path)
    caches.chmod(0o555)
    try:
        assert isinstance(load_code_contests(path, "train").source, CachedSource)
        with pytest.raises(DatasetError, match="cannot be written"):
            built(write_rows([make_row(name="other")], "other.jsonl"))
    finally:
        caches.chmod(0o755)


def test_a_disk_that_is_nearly_full_is_not_filled(
    make_row: MakeRow, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_build, "RESERVED_BYTES", 1 << 60)
    with pytest.raises(DatasetError, match=r"MiB are free, and a build leaves .*Free some space"):
        built(write_rows([make_row()]))


def test_a_build_that_the_system_stops_writing_goes_on_later(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    limited = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, resource.RLIM_INFINITY))\n" + BUILD
    )
    command = [sys.executable, "-c", limited, str(many), str(folder), "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert not folder.exists()
    finished = start_build(many, folder, 0)
    assert list(lines(finished))[-1] == 2 * PART_ROWS + 1
    source = CountingSource(many)
    assert_same(ProblemSet(CachedSource(ProblemCache(folder), source)), ProblemSet(source))


# Damage


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize("file", [MANIFEST, INDEX, RECORDS, "summaries.json"])
def test_a_damaged_cache_is_an_error_that_says_what_to_remove(
    file: str, make_row: MakeRow, write_rows: WriteRows
) -> None:
    path = write_rows([make_row()])
    folder = built(path).source.cache.folder  # type: ignore[attr-defined]
    flip(folder / file, 1 if file != RECORDS else 50)
    with pytest.raises(DatasetError, match=rf"the cache {folder} is damaged .*; remove this dir"):
        _ = load_code_contests(path, "train")[0]


def test_a_cache_that_lost_its_end_is_damaged(make_row: MakeRow, write_rows: WriteRows) -> None:
    path = write_rows([make_row()])
    folder = built(path).source.cache.folder  # type: ignore[attr-defined]
    os.truncate(folder / RECORDS, 10)
    with pytest.raises(DatasetError, match="is damaged"):
        load_code_contests(path, "train")


def test_objects_in_an_index_are_refused_and_not_unpickled(
    make_row: MakeRow, write_rows: WriteRows, tmp_path: Path
) -> None:
    path = write_rows([make_row()])
    folder = built(path).source.cache.folder  # type: ignore[attr-defined]
    witness = tmp_path / "witness"
    np.save(folder / INDEX, np.array([[Bomb(witness)] * 3], object), allow_pickle=True)
    with pytest.raises(DatasetError, match="is damaged"):
        load_code_contests(path, "train")
    assert not witness.exists()


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


# The command


def test_the_command_builds_says_where_and_clears_what_is_old(
    make_row: MakeRow, write_rows: WriteRows, caches: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows([make_row(name="old")])
    old = built(path, None, "custom").source.cache.folder  # type: ignore[attr-defined]
    other_split = built(path, None, "other").source.cache.folder  # type: ignore[attr-defined]
    write_rows([make_row(), make_row()])
    assert main(["data", "cache", str(path), "--clear"]) == 0
    said = capsys.readouterr().out.splitlines()
    [folder] = set(caches.glob("custom-custom-*"))
    assert said[0].startswith(f"{folder}: 2 problems of custom (custom), 0.0 MiB")
    assert said[1:] == [f"removed {old}"]
    assert other_split.exists()


def test_the_command_refuses_what_needs_no_cache(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "cache", "bundled"]) != 0
    assert "bundled is small and read whole; it needs no cache." in capsys.readouterr().err


def test_reading_a_problem_from_a_cache_is_quick(
    make_rows: Callable[[int], list[dict[str, Any]]], write_rows: WriteRows
) -> None:
    problems = built(write_rows(make_rows(300)))
    start = time.process_time()
    for problem_id in problems.ids:
        _ = problems[problem_id]
    assert (time.process_time() - start) / len(problems) < 0.02

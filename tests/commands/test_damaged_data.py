"""Data that is damaged: loading it for use fails, looking at it goes on and counts the damage."""

import base64
import gzip
import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_problems import problem_row, read_lines

from codefeedback_env import DatasetError, cli, load_problems
from codefeedback_env.datasets.row_limits import VARIABLE, largest_field

Rows = list[dict[str, Any]]

BIG = "1 " * 800_000
HUGE = "9" * 5000
KINDS = ["jsonl", "jsonl.gz", "json", "parquet", "saved"]


@pytest.fixture(autouse=True)
def _a_row_has_at_most_one_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a row which is too large can be written in no time."""
    monkeypatch.setenv(VARIABLE, "1")


def store(folder: Path, kind: str, rows: Rows) -> Path:
    """A directory with rows as split ``train``; the strings ``HUGE`` become integers in JSON."""
    lines = [json.dumps(row).replace(f'"{HUGE}"', HUGE) for row in rows]
    if kind == "json":
        (folder / "train.json").write_text(f"[{', '.join(lines)}]")
    elif kind == "jsonl":
        (folder / "train.jsonl").write_text("\n".join(lines))
    elif kind == "jsonl.gz":
        (folder / "train.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    elif kind == "saved":
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(rows).save_to_disk(folder)
    else:  # a file for each row, since each may have columns and types of its own
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        for number, row in enumerate(rows):
            path = folder / f"train-{number:05}-of-{len(rows):05}.parquet"
            pq.write_table(pa.Table.from_pylist([row]), path)
    return folder


def place_of_row_2(folder: Path, kind: str) -> str:
    if kind == "parquet":
        return f"{folder}/train-00001-of-00003.parquet, row 1"
    return f"{folder}, row 2" if kind == "saved" else f"{folder}/train.{kind}, row 2"


def look(folder: Path, dataset: str, *options: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The problems that ``data report`` and ``data check`` read; place and field of the rest."""
    of = ["data", "report", str(folder), "--dataset", dataset, "--split", "train", *options]
    out = folder.with_name("out")
    assert cli.main([*of, "--no-programs", "--out", str(out)]) == 1
    made = json.loads((out / "report.json").read_text("utf-8"))
    for name in ("report.html", "report.md"):
        assert "Rows that cannot be read" in (out / name).read_text("utf-8")
    read = [p["id"] for p in made["problems"] if not p["findings"]]
    lost = [(row["place"], row["field"]) for row in made["unreadable_rows"]]
    findings = out / "findings.jsonl"
    of[1] = "check"
    assert cli.main([*of, "--workers", "2", "--json", str(findings)]) == 1
    unreadable = [
        f"{finding['problem_id']}: {finding['detail']}"
        for finding in read_lines(findings)
        if finding["kind"] == "unreadable"
    ]
    assert len(unreadable) == len(lost)
    for text, (place, field) in zip(unreadable, lost, strict=True):
        assert place in text
        assert field is None or f"field {field!r}" in text
    return read, lost


def assert_refused(folder: Path, dataset: str, *words: str) -> None:
    """Loading for use, as training does it, fails with these words in the message."""
    with pytest.raises(DatasetError) as caught:
        list(load_problems(dataset, path=folder, split="train", exclude=None))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != field}


DAMAGED: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "missing column": ("public_tests", lambda: without(problem_row("bad"), "public_tests")),
    "null": ("description", lambda: problem_row("bad", description=None)),
    "wrong type": ("description", lambda: problem_row("bad", description=7)),
    "5,000 digits": ("cf_rating", lambda: problem_row("bad", cf_rating=HUGE)),
    "5,000 digits for a text": ("description", lambda: problem_row("bad", description=HUGE)),
    "too large": (
        "private_tests",
        lambda: problem_row("bad", private_tests={"input": [BIG], "output": ["1"]}),
    ),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_row_is_named_and_counted_and_the_others_are_looked_at(
    tmp_path: Path, judge, kind: str, damage: str
) -> None:
    if kind == "saved" and damage in ("missing column", "wrong type"):
        pytest.skip("all rows of a saved Dataset have the same columns and types")
    if kind in ("parquet", "saved") and damage == "5,000 digits for a text":
        pytest.skip("no column of Arrow holds such integers, and as a text it is one")
    field, damaged = DAMAGED[damage]
    good = [{**problem_row(name), "cf_rating": None} for name in ("a", "b")]
    folder = tmp_path / "data"
    folder.mkdir()
    store(folder, kind, [good[0], damaged(), good[1]])

    read, lost = look(folder, "code_contests")

    place = place_of_row_2(folder, kind)
    assert read == ["a", "b"]
    assert lost == [(place, field)]
    assert_refused(folder, "code_contests", place, f"field {field!r}")


class CallsSomething:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch was-called",)


def contest_row(name: str, private_test_cases: str = "") -> dict[str, Any]:
    test = {"input": "1\n", "output": "2\n", "testtype": "stdin"}
    return {
        "question_id": name,
        "question_title": name,
        "question_content": "Print twice the number.",
        "platform": "atcoder",
        "contest_date": "2024-05-17T00:00:00",
        "public_test_cases": json.dumps([test]),
        "private_test_cases": private_test_cases
        or json.dumps([{**test, "input": "2\n", "output": "4\n"}]),
        "metadata": "{}",
    }


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_with_a_global_is_named_and_never_called(
    tmp_path: Path, judge, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = base64.b64encode(zlib.compress(pickle.dumps(CallsSomething()))).decode()
    folder = tmp_path / "data"
    folder.mkdir()
    store(folder, kind, [contest_row("a"), contest_row("bad", packed), contest_row("b")])

    read, lost = look(folder, "live_code_bench")

    place = place_of_row_2(folder, kind)
    assert read == ["a", "b"]
    assert lost == [(place, "private_test_cases")]
    assert_refused(folder, "live_code_bench", place, "'private_test_cases'", "global")
    assert not (tmp_path / "was-called").exists()


LINES = {
    "torn": b'{"name": "bad", "descr',
    "no object": b"[1, 2]",
    "no UTF-8": b'{"name": "\xff"}',
    "nested too deeply": b'{"name": ' + b"[" * 100_000 + b"}",
    "200,001 digits": b'{"cf_rating": ' + b"9" * 200_001 + b"}",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz"])
def test_a_line_that_is_no_json_object_is_named_and_counted(
    tmp_path: Path, judge, kind: str, line: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    good = [json.dumps(problem_row(name)).encode() for name in ("a", "b")]
    content = b"\n".join([good[0], LINES[line], good[1]])
    packed = gzip.compress(content) if kind == "jsonl.gz" else content
    (folder / f"train.{kind}").write_bytes(packed)

    read, lost = look(folder, "code_contests")

    place = place_of_row_2(folder, kind)
    assert (read, lost) == (["a", "b"], [(place, None)])
    assert_refused(folder, "code_contests", place)


@pytest.mark.sandbox
def test_an_entry_of_a_json_list_that_is_no_object_is_named_and_counted(
    tmp_path: Path, judge
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps([problem_row("a"), 3, problem_row("b")]))

    read, lost = look(folder, "code_contests")

    place = place_of_row_2(folder, "json")
    assert (read, lost) == (["a", "b"], [(place, None)])
    assert_refused(folder, "code_contests", place)


# Damage that ends a file


def gzip_without_end(names: list[str]) -> bytes:
    """The rows with these names as a whole member of gzip, and one more that misses its end."""
    rows = "".join(json.dumps(problem_row(name)) + "\n" for name in names).encode()
    return gzip.compress(rows) + gzip.compress(rows)[:-20]


@pytest.mark.sandbox
@pytest.mark.parametrize("damage", ["cut", "checksum", "flipped bits", "not gzip"])
def test_what_comes_before_damage_of_a_gzip_file_is_kept(
    tmp_path: Path, judge, damage: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"p{number}" for number in range(9)]
    whole = gzip.compress("".join(json.dumps(problem_row(n)) + "\n" for n in names).encode())
    content = {
        "cut": gzip_without_end(names),
        "checksum": whole[:-8] + b"\0" * 8,
        "flipped bits": whole + b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 90,
        "not gzip": b"{}\n",
    }[damage]
    (folder / "train.jsonl.gz").write_bytes(content)

    read, lost = look(folder, "code_contests")

    assert read[:9] == ([] if damage == "not gzip" else names)
    assert lost == [(f"{folder}/train.jsonl.gz, row {len(read) + 1}", None)]
    assert_refused(folder, "code_contests", lost[0][0], f"damaged after row {len(read)} ")


@pytest.mark.sandbox
def test_after_a_file_that_is_cut_the_next_ones_are_read(tmp_path: Path, judge) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    files = {"test": ["p0", "p1", "p2"], "test2": ["q0", "q1", "q2"], "test3": ["last"]}
    for file, names in files.items():
        lines = "".join(json.dumps(contest_row(name)) + "\n" for name in names)
        (folder / f"{file}.jsonl").write_text(lines[:-60] if file == "test2" else lines)

    read, lost = look(folder, "live_code_bench", "--split", "release_v3")

    assert read == ["p0", "p1", "p2", "q0", "q1", "last"]
    assert lost == [(f"{folder}/test2.jsonl, row 3", None)]


@pytest.mark.sandbox
def test_a_parquet_file_that_is_cut_is_counted_once_and_the_next_ones_are_read(
    tmp_path: Path, judge
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    store(folder, "parquet", [problem_row(name) for name in ("a", "lost", "b")])
    cut = folder / "train-00001-of-00003.parquet"
    cut.write_bytes(cut.read_bytes()[:-20])

    read, lost = look(folder, "code_contests")

    assert (read, lost) == (["a", "b"], [(str(cut), None)])
    assert_refused(folder, "code_contests", str(cut), "is the download complete?")


def spoil(path: Path, column: str) -> None:
    """Overwrite the pages of one column in the first row group."""
    pq = pytest.importorskip("pyarrow.parquet")
    group = pq.read_metadata(path).row_group(0)
    content = path.read_bytes()
    for number in range(group.num_columns):
        chunk = group.column(number)
        if chunk.path_in_schema.startswith(column):
            start = chunk.data_page_offset
            stop = start + chunk.total_compressed_size
            content = content[:start] + b"\xff" * (stop - start) + content[stop:]
    path.write_bytes(content)


@pytest.mark.sandbox
def test_a_damaged_row_group_is_counted_once_with_its_first_row_and_column(
    tmp_path: Path, judge
) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "train.parquet"
    rows = [problem_row(f"p{number}") for number in range(6)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4, use_dictionary=False)
    spoil(path, "description")

    read, lost = look(folder, "code_contests")

    assert (read, lost) == (["p4", "p5"], [(f"{path}, row 1", "description")])
    assert_refused(folder, "code_contests", f"{path}, row 1", "'description'", "All 4 rows")


@pytest.mark.sandbox
def test_a_json_list_that_is_cut_loses_all_its_rows_and_is_counted_once(
    tmp_path: Path, judge
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps([problem_row("a")])[:-9])

    read, lost = look(folder, "code_contests")

    assert (read, lost) == ([], [(f"{folder}/train.json", None)])
    assert_refused(folder, "code_contests", f"{folder}/train.json is not valid JSON")


# The folders of APPS

FOLDERS = {
    "missing column": ("question.txt", None, "question"),
    "blank": ("question.txt", b" ", "question"),
    "no UTF-8": ("question.txt", b"\xff", "question.txt"),
    "bad JSON": ("input_output.json", b'{"inputs": [', "input_output"),
    "wrong type": ("input_output.json", b'{"inputs": 3}', "input_output"),
    "5,000 digits": ("metadata.json", b'{"difficulty": ' + HUGE.encode() + b"}", "difficulty"),
    "bad metadata": ("metadata.json", b"{", "metadata.json"),
    "too large": (
        "input_output.json",
        json.dumps({"inputs": [BIG], "outputs": [""]}).encode(),
        "input_output",
    ),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("damage", FOLDERS)
def test_a_damaged_folder_is_named_and_counted_and_the_others_are_looked_at(
    tmp_path: Path, judge, damage: str
) -> None:
    folder = tmp_path / "data"
    tests = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
    for name in ("0000", "0001", "0002"):
        (folder / "train" / name).mkdir(parents=True)
        (folder / "train" / name / "question.txt").write_text("Print twice the number.")
        (folder / "train" / name / "input_output.json").write_text(json.dumps(tests))
    file, content, field = FOLDERS[damage]
    damaged = folder / "train" / "0001" / file
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)

    read, lost = look(folder, "apps")

    place = f"{folder}/train/0001, row 2"
    assert (read, lost) == (["0000", "0002"], [(place, field)])
    assert_refused(folder, "apps", place, f"field {field!r}")


# Splits that are compared


def test_damage_of_another_split_is_counted_and_told(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text(json.dumps(problem_row("a")))
    (folder / "test.jsonl").write_text(json.dumps(problem_row("b")) + "\n{")
    (folder / "valid-00001-of-00002.parquet").touch()  # the first file is missing
    of = ["data", "report", str(folder), "--split", "train", "--no-programs"]

    assert cli.main([*of, "--out", str(tmp_path / "out")]) == 1

    printed = capsys.readouterr()
    assert "Damaged: 2 rows or files of other splits" in printed.out
    assert "not compared with code_contests (valid)" in printed.err
    made = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    lost = ", without 1 rows or files that cannot be read"
    assert made["compared_with"] == [
        f"code_contests ({split}){lost}" for split in ("valid", "test")
    ]


@pytest.mark.parametrize(
    ("line", "largest"),
    [
        (b'{"a": 1, "b": {"c": "xxxxxxxxx"}, "d": "y"}', ("b", 19)),  # with the blank before it
        (b'{"a": "\\\\", "b\\"": ["}", "{", ","], "c": 3}', ('b"', 16)),
        (b'{"a": "1234567890', ("a", 12)),
        (b'{"a": [1, 2', ("a", 6)),
        (b"[1, 2, 3]", (None, 0)),
        (b"", (None, 0)),
    ],
)
def test_the_largest_field_of_a_line_is_found_without_parsing_it(
    line: bytes, largest: tuple[str | None, int]
) -> None:
    assert largest_field(line) == largest
    assert largest_field(b'{"other": 1}\n' + line, start=13) == largest


@pytest.mark.parametrize("value", ["0", "many", "-1", "1.5"])
def test_a_limit_that_is_no_number_is_an_error(
    tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    (tmp_path / "p.jsonl").write_text(json.dumps(problem_row("a")))
    arguments = ["data", "report", str(tmp_path / "p.jsonl"), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--no-programs"]) == 2
    assert f"{VARIABLE}='{value}' must be a number of MiB" in capsys.readouterr().err

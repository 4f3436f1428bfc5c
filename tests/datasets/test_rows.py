import gzip
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets.hugging_face_rows import HuggingFaceRows
from codefeedback_env.datasets.json_lines_rows import JsonLinesRows
from codefeedback_env.datasets.parquet_rows import ParquetRows
from codefeedback_env.datasets.rows import Rows, find_shards, open_rows
from codefeedback_env.errors import (
    ConfigError,
    DatasetError,
    DatasetNotFoundError,
    UnknownNameError,
)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

WriteRows = Callable[..., Path]

NUM_ROWS = 10
ROWS = [
    {
        "name": f"p{i} é",
        "tests": {"input": [f"{i}"] * i, "output": [f"out {i}"] * i},
        "programs": [{"language": 3, "solution": f"print({i})"}],
    }
    for i in range(NUM_ROWS)
]
COLUMNS = ("name", "tests", "programs")
KINDS = ["jsonl", "jsonl.gz", "json", "parquet", "shards", "saved", "saved dict"]


def write_parquet(path: Path, rows: list[dict[str, Any]], rows_per_group: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Uncompressed and without dictionaries, so that a test can find texts in the file.
    pq.write_table(
        pa.Table.from_pylist(rows),
        path,
        row_group_size=rows_per_group,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    return path


@pytest.fixture
def stored(tmp_path: Path, write_rows: WriteRows) -> Callable[[str], Rows]:
    """ROWS, stored in the way asked for."""

    def store(kind: str) -> Rows:
        if kind == "parquet":
            return open_rows(write_parquet(tmp_path / "rows.parquet", ROWS), "train")
        if kind == "shards":
            write_parquet(tmp_path / "shards" / "train-00000-of-00002.parquet", ROWS[:4])
            write_parquet(tmp_path / "shards" / "train-00001-of-00002.parquet", ROWS[4:])
            return open_rows(tmp_path / "shards", "train")
        if kind.startswith("saved"):
            datasets = pytest.importorskip("datasets")
            dataset = datasets.Dataset.from_list(ROWS)
            if kind == "saved dict":
                dataset = datasets.DatasetDict(train=dataset, test=dataset.select([0]))
            dataset.save_to_disk(tmp_path / "saved")
            return open_rows(tmp_path / "saved", "train")
        return open_rows(write_rows(ROWS, f"rows.{kind}"), "train")

    return store


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_store_rows_gives_the_same_rows_in_any_order(
    stored: Callable[[str], Rows], kind: str
) -> None:
    rows = stored(kind)
    assert len(rows) == NUM_ROWS
    for index in (9, 0, 3, 3, 8, 1, 2, 4, 5, 6, 7):
        assert rows.read(index, COLUMNS) == ROWS[index]
    assert list(rows.scan(COLUMNS)) == ROWS


@pytest.mark.parametrize("kind", KINDS)
def test_pickled_rows_open_their_files_again(stored: Callable[[str], Rows], kind: str) -> None:
    rows = stored(kind)
    rows.read(5, COLUMNS)
    again = pickle.loads(pickle.dumps(rows))
    assert again.read(5, COLUMNS) == ROWS[5]
    assert again.fingerprint == rows.fingerprint


def read_all_often(rows: Rows) -> None:
    for _ in range(50):
        for index in range(NUM_ROWS):
            assert rows.read(index, COLUMNS) == ROWS[index]


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
@pytest.mark.parametrize("kind", KINDS)
def test_forked_processes_do_not_move_each_others_position(
    stored: Callable[[str], Rows], kind: str
) -> None:
    rows = stored(kind)
    rows.read(0, COLUMNS)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=read_all_often, args=(rows,)) for _ in range(2)]
    for child in children:
        child.start()
    read_all_often(rows)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_threads_may_read_the_same_rows(stored: Callable[[str], Rows], kind: str) -> None:
    rows = stored(kind)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(read_all_often, rows) for _ in range(4)]:
            done.result()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [-1, NUM_ROWS])
def test_a_row_outside_is_an_index_error(
    stored: Callable[[str], Rows], kind: str, index: int
) -> None:
    with pytest.raises(IndexError, match=r"which ha.* 10"):
        stored(kind).read(index, COLUMNS)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("jsonl.gz", "rows.jsonl.gz, row 6"),
        ("parquet", "rows.parquet, row 6"),
        # Four rows are in the first of the two files.
        ("shards", "train-00001-of-00002.parquet, row 2"),
        ("saved", "saved, row 6"),
    ],
)
def test_the_place_of_a_row_names_file_and_number_from_one(
    stored: Callable[[str], Rows], kind: str, place: str
) -> None:
    assert stored(kind).place(5).endswith(place)


# JSON lines


def test_gzip_and_plain_lines_have_one_fingerprint_and_a_change_gives_another(
    write_rows: WriteRows,
) -> None:
    plain = JsonLinesRows(write_rows(ROWS, "a.jsonl")).fingerprint
    assert JsonLinesRows(write_rows(ROWS, "b.jsonl.gz")).fingerprint == plain
    assert JsonLinesRows(write_rows(ROWS[1:], "c.jsonl")).fingerprint != plain


def test_blank_lines_and_a_missing_last_newline_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n  \r\n{"a": 2}')
    assert list(open_rows(path, "train").scan(["a"])) == [{"a": 1}, {"a": 2}]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.touch()
    assert len(open_rows(path, "train")) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"name": "x"', r"row 3: the line is not valid JSON \(Expecting"),
        (b'{"name": "\xff"}', r"row 3: the line is not valid JSON \('utf-8' codec"),
        (
            b'{"n": ' + b"1" * 200_001 + b"}",
            r"row 3: the line is not valid JSON \(an integer of 200001 digits",
        ),
        (b'[{"name": "x"}]', "row 3: the line is a JSON list; each line must be one JSON object"),
    ],
    ids=["cut", "encoding", "huge number", "list"],
)
def test_a_bad_line_is_named_with_file_and_row(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"{}\n{}\n" + line + b"\n{}\n")
    rows = open_rows(path, "train")
    assert rows.read(3, []) == {}
    with pytest.raises(DatasetError, match=f"rows.jsonl, {message}"):
        rows.read(2, [])


def test_a_cut_gzip_file_says_after_which_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    # Two members: three rows that are whole, and one that misses its end.
    path.write_bytes(gzip.compress(b"{}\n" * 3) + gzip.compress(b'{"a": 1}\n' * 50)[:-12])
    with pytest.raises(
        DatasetError, match=r"rows.jsonl.gz, row \d+: the file is damaged"
    ) as caught:
        len(open_rows(path, "train"))
    assert isinstance(caught.value.__cause__, EOFError)


def test_a_file_that_is_not_gzip_despite_its_name_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(b"{}\n")
    with pytest.raises(DatasetError, match=r"rows.jsonl.gz, row 1: .*Not a gzipped"):
        len(open_rows(path, "train"))


def test_a_file_that_shrinks_while_open_is_an_error_and_not_a_short_row(
    write_rows: WriteRows,
) -> None:
    path = write_rows(ROWS)
    rows = open_rows(path, "train")
    rows.read(9, COLUMNS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match="has become shorter"):
        rows.read(9, COLUMNS)


# Parquet


def overwrite(path: Path, text: str) -> None:
    """Spoil every page that holds ``text``, with bytes of the same length."""
    content = path.read_bytes()
    assert text.encode() in content
    for number in range(pq.read_metadata(path).num_row_groups):
        group = pq.read_metadata(path).row_group(number)
        for column in range(group.num_columns):
            chunk = group.column(column)
            start = chunk.data_page_offset
            stop = start + chunk.total_compressed_size
            if text.encode() in content[start:stop]:
                content = content[:start] + b"\xff" * (stop - start) + content[stop:]
    path.write_bytes(content)


def test_columns_that_were_not_asked_for_are_not_read(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "rows.parquet", ROWS)
    overwrite(path, "print(")
    rows = open_rows(path, "train")
    assert rows.read(4, ["name", "tests"]) == {k: ROWS[4][k] for k in ("name", "tests")}
    with pytest.raises(DatasetError, match=r"rows.parquet cannot be read as parquet"):
        rows.read(4, ["programs"])


@pytest.mark.parametrize("nested", ["parallel lists", "list of objects"])
def test_one_key_of_a_nested_column_is_read_alone(tmp_path: Path, nested: str) -> None:
    tests: Any = {"input": ["in"], "output": ["secret"]}
    only_inputs: Any = {"input": ["in"]}
    if nested == "list of objects":
        tests, only_inputs = [{"input": "in", "output": "secret"}], [{"input": "in"}]
    path = write_parquet(tmp_path / "rows.parquet", [{"name": "x", "tests": tests}])
    overwrite(path, "secret")
    rows = open_rows(path, "train")
    assert list(rows.scan(["tests.input"])) == [{"tests": only_inputs}]
    assert rows.read(0, ["tests.input"]) == {"tests": only_inputs}


def test_rows_of_one_row_group_are_read_together_and_the_next_group_replaces_it(
    tmp_path: Path,
) -> None:
    path = write_parquet(tmp_path / "rows.parquet", ROWS, rows_per_group=5)
    rows = open_rows(path, "train")
    rows.read(0, COLUMNS)
    hidden = path.rename(tmp_path / "elsewhere")
    assert rows.read(4, COLUMNS) == ROWS[4]  # the same group, without the file
    with pytest.raises(DatasetNotFoundError):
        rows.read(5, COLUMNS)
    hidden.rename(path)
    rows.read(5, COLUMNS)
    path.rename(hidden)
    with pytest.raises(DatasetNotFoundError):
        rows.read(4, COLUMNS)


def test_columns_that_do_not_exist_are_left_out(stored: Callable[[str], Rows]) -> None:
    assert stored("parquet").read(0, ["name", "nothing"]) == {"name": "p0 é"}


def test_a_cut_parquet_file_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "rows.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"rows.parquet cannot be read as parquet"):
        len(open_rows(path, "train"))


def test_a_parquet_fingerprint_does_not_depend_on_the_place_but_on_the_data(
    tmp_path: Path,
) -> None:
    first = ParquetRows([write_parquet(tmp_path / "a.parquet", ROWS)]).fingerprint
    assert ParquetRows([write_parquet(tmp_path / "b.parquet", ROWS)]).fingerprint == first
    assert ParquetRows([write_parquet(tmp_path / "c.parquet", ROWS[1:])]).fingerprint != first


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_parquet(tmp_path / "rows.parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"pip install 'codefeedback-env\[data\]'"):
        len(open_rows(path, "train"))


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
        ["train-00000-of-00002-e991a271dbfa9925.parquet", "train-00001-of-00002-0a.parquet"],
        ["train-a.parquet", "train-b.parquet"],
        ["train.parquet"],
        ["data/train-00000-of-00001.parquet"],
    ],
)
def test_the_files_of_a_split_are_found_in_order(tmp_path: Path, names: list[str]) -> None:
    for name in [*reversed(names), "test-00000-of-00001.parquet", "data/valid.parquet", "train.md"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_shards(tmp_path, "train") == tuple(tmp_path / name for name in names)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], DatasetNotFoundError, r"no split 'train' in .*\(parquet files there: none\)"),
        (["test.parquet"], DatasetNotFoundError, r"\(parquet files there: test.parquet\)"),
        (
            ["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"],
            DatasetError,
            "is incomplete: 2 of 3 parquet files are there, number 1 is the first that is missing",
        ),
        (
            ["train-00000-of-00001.parquet", "train-00000-of-00002.parquet"],
            DatasetError,
            "mixes several downloads of split 'train'",
        ),
        (
            ["train-00000-of-00001-aa.parquet", "train-00000-of-00001-bb.parquet"],
            DatasetError,
            "mixes several downloads of split 'train'",
        ),
    ],
)
def test_a_split_that_is_missing_or_not_whole_is_refused(
    tmp_path: Path, names: list[str], error: type[Exception], message: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(error, match=message):
        find_shards(tmp_path, "train")


# Datasets of the Hugging Face library, and everything else


def test_a_dataset_made_in_memory_can_be_read_and_has_its_own_fingerprint() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_list(ROWS).select([7, 2])
    rows = HuggingFaceRows(dataset)
    assert [row["name"] for row in rows.scan(["name"])] == ["p7 é", "p2 é"]
    assert rows.read(1, ["tests"]) == {"tests": ROWS[2]["tests"]}
    assert rows.fingerprint == dataset._fingerprint


def test_an_unknown_split_of_a_saved_dict_lists_the_known_ones(
    stored: Callable[[str], Rows], tmp_path: Path
) -> None:
    stored("saved dict")
    with pytest.raises(UnknownNameError, match=r"did you mean 'train'.*Known: test, train"):
        open_rows(tmp_path / "saved", "trian")


def test_a_damaged_saved_dataset_is_named(stored: Callable[[str], Rows], tmp_path: Path) -> None:
    stored("saved")
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(DatasetError, match="saved cannot be read as a saved Dataset"):
        open_rows(tmp_path / "saved", "train")


def test_without_the_library_a_saved_dataset_says_what_to_install(
    stored: Callable[[str], Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored("saved")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"pip install 'codefeedback-env\[data\]'"):
        open_rows(tmp_path / "saved", "train")


def test_nothing_at_the_path_is_not_found_and_says_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"nothing at .*gone.jsonl.*\.parquet"):
        open_rows(tmp_path / "gone.jsonl", "train")


@pytest.mark.parametrize("name", ["rows.csv", "rows.zip", "rows"])
def test_a_file_of_another_kind_is_refused_and_says_what_is_accepted(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=r"of no kind that can be read; path= takes .*\.jsonl"):
        open_rows(tmp_path / name, "train")

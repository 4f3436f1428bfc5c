from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codefeedback_env.datasets.code_contests import load_code_contests
from codefeedback_env.datasets.fetch import (
    HUB_DATASETS,
    MANUAL_DATASETS,
    ROWS_PER_GROUP,
    data_directory,
    fetch,
)
from codefeedback_env.errors import ConfigError, DatasetError, UnknownNameError
from codefeedback_env.make import DATASETS, load_problems
from codefeedback_env.problem import Pool

datasets = pytest.importorskip("datasets")
pq = pytest.importorskip("pyarrow.parquet")

MakeRow = Callable[..., dict[str, Any]]

NUM_ROWS = {"train": (40, 3), "valid": (2,), "test": (1,)}


class LocalHub:
    """Stands in for ``datasets.load_dataset``; the stream is a real one, of local files."""

    def __init__(self, folder: Path, make_row: MakeRow) -> None:
        self.asked: list[str] = []
        self.files: dict[str, list[str]] = {}
        for split, sizes in NUM_ROWS.items():
            self.files[split] = []
            for number, size in enumerate(sizes):
                path = folder / f"{split}{number}.parquet"
                rows = [make_row(name=f"{split} {number} {i}") for i in range(size)]
                datasets.Dataset.from_list(rows).to_parquet(path)
                self.files[split].append(str(path))
        self._load_dataset = datasets.load_dataset

    def load_dataset(self, repository: str, *, split: str, streaming: bool) -> Any:
        assert repository == "deepmind/code_contests"
        assert streaming
        self.asked.append(split)
        return self._load_dataset(
            "parquet", data_files={split: self.files[split]}, split=split, streaming=True
        )


@pytest.fixture
def hub(
    tmp_path_factory: pytest.TempPathFactory, make_row: MakeRow, monkeypatch: pytest.MonkeyPatch
) -> LocalHub:
    local_hub = LocalHub(tmp_path_factory.mktemp("hub"), make_row)
    monkeypatch.setattr(datasets, "load_dataset", local_hub.load_dataset)
    return local_hub


def test_fetched_files_are_where_the_loader_looks_and_hold_every_row(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    paths = fetch("code_contests")
    assert [path.name for path in paths] == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
        "valid-00000-of-00001.parquet",
        "test-00000-of-00001.parquet",
    ]
    problems = load_code_contests()
    assert problems.ids == tuple(
        f"train {number} {i}" for number, size in enumerate((40, 3)) for i in range(size)
    )
    assert problems["train 1 2"].time_limit_s == 2.5
    assert problems.reference_programs("train 1 2")
    # Reading one problem reads one row group, so these are kept small.
    assert pq.read_metadata(paths[0]).row_group(0).num_rows == ROWS_PER_GROUP


def test_what_is_there_is_not_fetched_again(hub: LocalHub, tmp_path: Path) -> None:
    first = fetch("code_contests", tmp_path, ["valid"])
    assert fetch("code_contests", tmp_path, ["valid"]) == first
    assert hub.asked == ["valid"]


def test_an_interrupted_fetch_goes_on_with_the_file_it_stopped_at(
    hub: LocalHub, tmp_path: Path
) -> None:
    second = Path(hub.files["train"][1])
    content = second.read_bytes()
    second.write_bytes(b"PAR1 and then the connection broke PAR1")
    with pytest.raises(DatasetError, match=r"cannot download split 'train'.*run the same command"):
        fetch("code_contests", tmp_path, ["train"])
    assert [path.name for path in tmp_path.iterdir()] == ["train-00000-of-00002.parquet"]
    with pytest.raises(DatasetError, match="is incomplete: 1 of 2"):
        load_code_contests(tmp_path)
    written = (tmp_path / "train-00000-of-00002.parquet").stat().st_mtime_ns
    second.write_bytes(content)
    assert len(fetch("code_contests", tmp_path, ["train"])) == 2
    assert (tmp_path / "train-00000-of-00002.parquet").stat().st_mtime_ns == written
    assert len(load_code_contests(tmp_path)) == 43


def test_files_of_another_download_are_not_mixed_in(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00039.parquet").touch()
    with pytest.raises(DatasetError, match="files of another download of split 'train'"):
        fetch("code_contests", tmp_path, ["train"])


class ReadError(Exception):
    """Like those of httpx, which are no OSError."""


@pytest.mark.parametrize("kind", [ConnectionError, ReadError])
def test_an_unreachable_hub_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def load_dataset(*args: Any, **options: Any) -> Any:
        raise kind("Couldn't reach 'deepmind/code_contests' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DatasetError, match=r"Couldn't reach.*Check the network") as caught:
        fetch("code_contests", tmp_path)
    assert isinstance(caught.value.__cause__, kind)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_a_clear_error(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot write"):
        fetch("code_contests", tmp_path / "file", ["test"])


def test_unknown_datasets_and_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'code_contests'"):
        fetch("codecontests", tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'valid'"):
        fetch("code_contests", tmp_path, ["validation"])


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({"CODEFEEDBACK_DATA": "/data"}, "/data/apps"),
        ({"CODEFEEDBACK_DATA": "/data", "XDG_CACHE_HOME": "/cache"}, "/data/apps"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/codefeedback/apps"),
        ({}, "/home/me/.cache/codefeedback/apps"),
    ],
)
def test_where_data_is_looked_for(
    variables: dict[str, str], directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CODEFEEDBACK_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert data_directory("apps") == Path(directory)


MBPP_ROW = {
    "task_id": 11,
    "text": "Double it.",
    "code": "def double(n):\n    return 2 * n",
    "test_list": ["assert double(1) == 2"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
PLUS_ROW = {
    "task_id": 11,
    "prompt": "Double it.",
    "code": MBPP_ROW["code"],
    "test_imports": [],
    "test_list": MBPP_ROW["test_list"],
    "test": "assert double(5) == 10",
}
HUMAN_EVAL_ROW = {
    "task_id": "HumanEval/0",
    "prompt": "def double(n):\n",
    "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "entry_point": "double",
}
PLUS_CONTEST_ROW = {
    "id": "1_A",
    "title": "Double",
    "description": "Print twice the number.",
    "time_limit": 1000,
    "memory_limit": 256,
    "test_cases": [{"input": "1", "output": "2"}],
}
APPS_ROW = {
    "id": 7,
    "question": "Print twice the number.",
    "solutions": '["print(2 * int(input()))"]',
    "input_output": '{"inputs": ["1\\n"], "outputs": ["2\\n"]}',
    "difficulty": "interview",
    "url": "",
    "starter_code": "",
}
TACO_ROW = {
    **{name: APPS_ROW[name] for name in ("question", "solutions", "input_output", "starter_code")},
    "difficulty": "EASY",
    "name": "double",
    "source": "",
    "url": "",
}


def files_of(repository: str, pattern: str) -> dict[str, Any]:
    return {"data_files": {"test": f"hf://datasets/{repository}/{pattern}"}, "split": "test"}


@pytest.mark.parametrize(
    ("name", "split", "asked", "row", "num_tests"),
    [
        ("mbpp", "test", {"name": "full", "split": "test"}, MBPP_ROW, (1, 1, 0)),
        ("mbpp_plus", "test", {"split": "test"}, PLUS_ROW, (1, 1, 1)),
        ("human_eval", "test", {"split": "test"}, HUMAN_EVAL_ROW, (1, 1, 0)),
        ("code_contests_plus", "3x", {"name": "3x", "split": "train"}, PLUS_CONTEST_ROW, (1, 1, 0)),
        ("apps", "test", files_of("codeparrot/apps", "test.jsonl"), APPS_ROW, (1, 1, 0)),
        ("taco", "test", files_of("BAAI/TACO", "test/*.arrow"), TACO_ROW, (1, 1, 0)),
    ],
)
def test_every_dataset_of_the_hub_is_fetched_to_where_its_loader_looks(
    name: str,
    split: str,
    asked: dict[str, str],
    row: dict[str, Any],
    num_tests: tuple[int, int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))

    def load_dataset(path: str, *, streaming: bool, **arguments: Any) -> Any:
        hub_dataset = HUB_DATASETS[name]
        wanted = hub_dataset.repository if hub_dataset.files is None else hub_dataset.builder
        assert (path, arguments) == (wanted, asked)
        return datasets.Dataset.from_list([row]).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (path,) = fetch(name, splits=[split])
    assert path == tmp_path / name / f"{split}-00000-of-00001.parquet"
    (problem,) = load_problems(name, split=split)
    assert tuple(len(problem.tests(pool)) for pool in Pool) == num_tests
    assert name != "apps" or problem.id == "7"


def test_every_dataset_is_fetched_or_downloaded_by_hand() -> None:
    assert sorted([*HUB_DATASETS, *MANUAL_DATASETS]) == sorted(DATASETS)


@pytest.mark.parametrize("name", MANUAL_DATASETS)
def test_what_must_be_downloaded_by_hand_is_said_with_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEFEEDBACK_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=f"{name} cannot be fetched. Download it from") as caught:
        fetch(name)
    for part in (MANUAL_DATASETS[name].origin, str(tmp_path / name), "give path= the file"):
        assert part in str(caught.value)

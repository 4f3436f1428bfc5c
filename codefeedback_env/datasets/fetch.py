"""Downloading datasets to where they are looked for."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codefeedback_env.datasets.optional_import import optional_import
from codefeedback_env.datasets.rows import find_shards
from codefeedback_env.errors import ConfigError, DatasetError
from codefeedback_env.lookup import look_up

ROWS_PER_GROUP = 16
"""Reading one problem means reading its row group, so groups are small."""


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A dataset on the Hugging Face hub, in files that its library reads without running code."""

    repository: str
    splits: tuple[str, ...]
    configuration: str | None = None
    splits_are_configurations: bool = False
    """Each of ``splits`` is a configuration with the one split ``train``."""

    files: str | None = None
    """For a repository with a script, which is never run: the files of a split, as a pattern that
    holds "{split}"."""

    builder: str = "json"
    """What reads ``files``."""

    def request(self, split: str) -> tuple[str, dict[str, Any]]:
        """What to ask ``datasets.load_dataset`` for: its path, and the arguments for the split."""
        if self.files is not None:
            files = f"hf://datasets/{self.repository}/{self.files.format(split=split)}"
            return self.builder, {"data_files": {split: files}, "split": split}
        if self.splits_are_configurations:
            return self.repository, {"name": split, "split": "train"}
        named = {} if self.configuration is None else {"name": self.configuration}
        return self.repository, {**named, "split": split}


HUB_DATASETS = {
    "code_contests": HubDataset("deepmind/code_contests", ("train", "valid", "test")),
    "code_contests_plus": HubDataset(
        "ByteDance-Seed/Code-Contests-Plus",
        ("1x", "2x", "3x", "4x", "5x"),
        splits_are_configurations=True,
    ),
    "human_eval": HubDataset("openai/openai_humaneval", ("test",)),
    "mbpp": HubDataset(
        "google-research-datasets/mbpp", ("prompt", "test", "validation", "train"), "full"
    ),
    "mbpp_plus": HubDataset("evalplus/mbppplus", ("test",)),
    "apps": HubDataset("codeparrot/apps", ("train", "test"), files="{split}.jsonl"),
    "taco": HubDataset("BAAI/TACO", ("train", "test"), files="{split}/*.arrow", builder="arrow"),
}
"""Those that lie there in one form for each split."""


@dataclass(frozen=True, slots=True)
class ManualDataset:
    """A dataset that is downloaded by hand."""

    origin: str
    """Where its authors publish which file, and what to call it."""

    splits: tuple[str, ...]


MANUAL_DATASETS = {
    "human_eval_plus": ManualDataset(
        "the releases of evalplus on GitHub (HumanEvalPlus.jsonl.gz, as test.jsonl.gz)", ("test",)
    ),
    "live_code_bench": ManualDataset(
        "livecodebench/code_generation_lite on the Hugging Face hub (test.jsonl, and test2.jsonl "
        "to test6.jsonl for later releases)",
        tuple(f"release_v{number}" for number in range(1, 7)),
    ),
}
"""Those of which there is no such form."""


def how_to_get(name: str) -> str:
    """What to do for the data of a dataset, as the beginning of a sentence."""
    if name in HUB_DATASETS:
        return f"Get it with `codefeedback data fetch {name}`"
    return f"Download it from {MANUAL_DATASETS[name].origin} and put it there"


def splits_of(name: str) -> tuple[str, ...]:
    """The splits that a dataset is published in."""
    return (HUB_DATASETS[name] if name in HUB_DATASETS else MANUAL_DATASETS[name]).splits


def data_directory(name: str) -> Path:
    """Where the dataset ``name`` is looked for and fetched to, whether it is there or not.

    ``$CODEFEEDBACK_DATA/name``, or where that is not set ``$XDG_CACHE_HOME/codefeedback/name``,
    which by default is ``~/.cache/codefeedback/name``.
    """
    if data := os.environ.get("CODEFEEDBACK_DATA"):
        return Path(data).expanduser() / name
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "codefeedback" / name


def fetch(
    name: str, directory: Path | None = None, splits: Sequence[str] | None = None
) -> list[Path]:
    """Download a dataset from the Hugging Face hub as parquet files.

    The rows are streamed and written as they are, one file for each file of the hub, so an
    interrupted download goes on with the file it stopped at. A split that is complete is not
    downloaded again. A progress bar goes to standard error.

    Tested against local files in place of the hub only, not against the hub itself.

    Args:
        name: a key of ``HUB_DATASETS``.
        directory: where to; None for ``data_directory(name)``.
        splits: which splits; None for all.

    Returns:
        The files of the splits asked for, new and old.

    Raises:
        UnknownNameError: there is no such dataset or split.
        ConfigError: the dataset is downloaded by hand, or the libraries ``datasets`` and
            ``pyarrow`` are not installed.
        DatasetError: the hub cannot be reached, or the disk cannot be written.
    """
    if name in MANUAL_DATASETS:
        raise ConfigError(
            f"{name} cannot be fetched. Download it from {MANUAL_DATASETS[name].origin} into "
            f"{directory or data_directory(name)}, or give path= the file, and --dataset {name} or "
            f"dataset={name!r} with it."
        )
    hub_dataset = look_up("dataset", name, HUB_DATASETS)
    known_splits = {split: split for split in hub_dataset.splits}
    chosen = [look_up(f"split of {name}", s, known_splits) for s in splits or hub_dataset.splits]
    directory = directory or data_directory(name)
    paths: list[Path] = []
    for split in chosen:
        with suppress(DatasetError):  # absent or incomplete
            paths += find_shards(directory, split)
            continue
        paths += _fetch_split(hub_dataset, split, directory)
    return paths


def _fetch_split(hub_dataset: HubDataset, split: str, directory: Path) -> list[Path]:
    repository = hub_dataset.repository
    library = optional_import("datasets", "fetching a dataset")
    progress = optional_import("tqdm", "fetching a dataset").tqdm
    try:
        source, arguments = hub_dataset.request(split)
        stream = library.load_dataset(source, **arguments, streaming=True)
    except Exception as error:  # the errors of its HTTP library, which changes between versions
        raise _unreachable(repository, split, error) from error
    num_shards = stream.num_shards
    paths = [
        directory / f"{split}-{number:05}-of-{num_shards:05}.parquet"
        for number in range(num_shards)
    ]
    if others := sorted({*directory.glob(f"{split}-*.parquet")} - {*paths}):
        raise DatasetError(
            f"{directory} holds files of another download of split {split!r} ({others[0].name}, "
            f"where the hub has {num_shards} files); remove them first."
        )
    with progress(desc=f"{repository} {split}", unit=" rows") as bar:
        for number, path in enumerate(paths):
            bar.set_postfix_str(f"file {number + 1} of {num_shards}")
            if not path.exists():
                shard = stream.shard(num_shards=num_shards, index=number)
                _write(_tables(shard, repository, split), path, bar)
    return paths


def _tables(shard: Any, repository: str, split: str) -> Iterator[Any]:
    try:
        yield from shard.with_format("arrow").iter(ROWS_PER_GROUP)
    except Exception as error:  # as above
        raise _unreachable(repository, split, error) from error


def _write(tables: Iterator[Any], path: Path, bar: Any) -> None:
    """Write to a name that no reader looks for, then rename: a file with its name is whole."""
    parquet = optional_import("pyarrow.parquet", "writing parquet files")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        first = next(tables, None)
        if first is None:
            raise DatasetError(f"the hub sent no rows for {path.name}; fetch again.")
        with parquet.ParquetWriter(partial, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            bar.update(first.num_rows)
            for table in tables:
                writer.write_table(table)
                bar.update(table.num_rows)
        partial.replace(path)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error}.") from error
    finally:
        with suppress(OSError):  # already renamed, or never made
            partial.unlink()


def _unreachable(repository: str, split: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"cannot download split {split!r} of {repository} from the Hugging Face hub ({error}). "
        "Check the network (HF_ENDPOINT names a mirror, HTTPS_PROXY a proxy) and run the same "
        "command again: it goes on where it stopped. Or download the parquet files elsewhere and "
        "give their directory as path=."
    )

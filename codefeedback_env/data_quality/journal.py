"""Reports of problems as they come in, so that a run which was ended goes on where it was."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from codefeedback_env.data_quality.problem_report import ProblemReport
from codefeedback_env.errors import ConfigError

VERSION = 2
"""Rises when reports mean something else, so that old ones are not taken up."""


class Journal:
    """A file with one line of JSON for each problem done, of one dataset and choice of settings.

    Lines are written at once and whole. What a killed process left of its last line is cut off.
    """

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        """Take up the journal of these settings in ``directory``, or begin it.

        Args:
            directory: is made where it is missing.
            settings: everything that decides on a problem's report, in JSON's types.

        Raises:
            ConfigError: the file cannot be written.
        """
        text = json.dumps({"version": VERSION, **settings}, sort_keys=True)
        self.path = directory / f"problems-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"
        self.done: dict[str, ProblemReport] = {}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("a+b")
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror}.") from error
        self._take_up()

    def add(self, report: ProblemReport) -> None:
        """Write the report of one more problem."""
        self.done[report.id] = report
        self._file.write(json.dumps(report.to_json()).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _take_up(self) -> None:
        self._file.seek(0)
        end = 0
        for line in self._file:
            try:
                if not line.endswith(b"\n"):
                    break
                report = ProblemReport.from_json(json.loads(line))
            except ValueError:
                break  # torn by a crash of the machine; from here on all is done again
            self.done[report.id] = report
            end += len(line)
        os.truncate(self.path, end)
        self._file.seek(0, os.SEEK_END)

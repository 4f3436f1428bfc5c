import gzip
import json
from pathlib import Path

import pytest
from records import RIGHT, episode, turn, various, write

from codefeedback_env import Episode, RecordError
from codefeedback_env.viewer.index import ROW_FIELDS, EpisodeIndex


def facts(index: EpisodeIndex, *names: str) -> list[tuple]:
    return [tuple(row[ROW_FIELDS.index(name)] for name in names) for row in index.rows]


def test_each_record_is_a_row_and_is_read_back_as_it_was_written(records: Path):
    episodes = various(4)
    index = EpisodeIndex([write(records / "episodes.jsonl", episodes)])

    assert facts(index, "line", "problem", "outcome", "solved", "turns", "reward") == [
        (1, "problem-0000", "accepted", True, 2, 1.0),
        (2, "problem-0001", "time limit exceeded", False, 2, -1.0),
        (3, "problem-0002", "accepted", True, 2, 1.0),
        (4, "problem-0003", "no code", False, 1, -1.0),
    ]
    assert [Episode.from_json(index.record(number)) for number in range(4)] == episodes
    with pytest.raises(IndexError):
        index.record(4)


def test_lone_surrogates_and_every_other_character_come_through(records: Path):
    text = "\ud800 \udfff 𝄞 \u2028 \x1b[31m \x00 </script>"
    written = episode("odd", turn(RIGHT, reply=text))
    index = EpisodeIndex([write(records / "episodes.jsonl", [written])])

    assert Episode.from_json(index.record(0)) == written
    assert index.record(0).isascii()


def test_a_reward_that_is_no_number_is_null_for_the_browser(records: Path):
    bad = episode("nan", turn(RIGHT, reward=float("nan")))
    index = EpisodeIndex([write(records / "episodes.jsonl", [bad])])

    assert json.loads(index.record(0), parse_constant=pytest.fail)["reward"] is None
    assert facts(index, "reward") == [(None,)]


def test_an_unfinished_last_line_is_said_and_read_when_it_is_finished(records: Path):
    line = episode("late").to_json()
    path = write(records / "episodes.jsonl", [episode("early")], line[:100])
    index = EpisodeIndex([records])

    assert facts(index, "problem") == [("early",)]
    assert "the last line is unfinished" in index.notes()[0]

    with path.open("a") as file:
        file.write(line[100:])  # the line feed is still to come
    index.refresh()
    assert facts(index, "line", "problem") == [(1, "early"), (2, "late")]
    assert index.notes() == []

    with path.open("a") as file:
        file.write("\n" + episode("last").to_json() + "\n")
    index.refresh()
    assert facts(index, "line", "problem")[2] == (3, "last")
    assert index.generation == 0


def test_lines_that_are_no_records_are_counted_and_left_out(records: Path):
    lines = ["nonsense", "[" * 100_000, '{"version": 2}', "", episode("good").to_json()]
    path = records / "episodes.jsonl"
    path.parent.mkdir()
    path.write_bytes("\n".join(lines).encode() + b'\n{"version": 1, "\xff": 0}\n')
    index = EpisodeIndex([path])

    assert facts(index, "line", "problem") == [(5, "good")]
    assert "4 lines are no records and left out: line 1: not an episode record" in index.notes()[0]


def test_a_file_that_is_replaced_is_read_anew(records: Path):
    path = write(records / "episodes.jsonl", [episode("first"), episode("second")])
    index = EpisodeIndex([path])
    write(path, [episode("third")])

    with pytest.raises(RecordError, match="has changed since it was read; refresh"):
        index.record(0)
    index.refresh()

    assert facts(index, "problem") == [("third",)]
    assert index.generation == 1


def test_files_that_come_later_are_found(records: Path):
    transcripts = records / "transcripts"
    write(transcripts / "iteration-000002.jsonl", [episode("a")])
    index = EpisodeIndex([records])
    write(transcripts / "iteration-000004.jsonl", [episode("b")])
    index.refresh()
    assert facts(index, "problem") == [("a",), ("b",)]
    assert index.generation == 0

    write(transcripts / "iteration-000000.jsonl", [episode("c")])  # which comes before the others
    index.refresh()
    assert facts(index, "problem") == [("c",), ("a",), ("b",)]
    assert index.generation == 1


def test_the_overview_gives_new_rows_only_while_the_old_ones_are_the_same(records: Path):
    index = EpisodeIndex([write(records / "episodes.jsonl", various(5))])

    assert len(index.overview()["rows"]) == 5
    assert index.overview(3, index.generation)["first"] == 3
    assert len(index.overview(3, index.generation)["rows"]) == 2
    assert index.overview(3, index.generation - 1)["first"] == 0


def test_the_agent_is_that_of_the_summary_beside(records: Path):
    write(records / "scripted" / "episodes.jsonl", [episode()])
    write(records / "model" / "episodes.jsonl", [episode()])
    write(records / "train" / "transcripts" / "iteration-000020.jsonl", [episode()])
    write(records / "alone" / "episodes.jsonl", [episode()])
    (records / "train" / "config.json").write_text('{"model": "/models/Tiny-1B"}')
    (records / "train" / "metrics.jsonl").write_text('{"iteration": 0}\n')
    for name, model in (("scripted", None), ("model", {"model": "maker/Coder-8B"})):
        summary = {"agent": name, "model": model, "versions": {"python": "3.11"}}
        (records / name / "summary.json").write_text(json.dumps(summary))

    sources = {source.label: source for source in EpisodeIndex([records]).sources}

    assert {label: source.agent for label, source in sources.items()} == {
        "alone/episodes.jsonl": "not recorded",
        "model/episodes.jsonl": "model Coder-8B",
        "scripted/episodes.jsonl": "scripted",
        "transcripts/iteration-000020.jsonl": "Tiny-1B, iteration 20",
    }
    assert sources["scripted/episodes.jsonl"].details == {"versions": {"python": "3.11"}}


def test_files_of_the_same_name_get_labels_that_differ(records: Path):
    paths = [write(records / run / "out" / "episodes.jsonl", [episode()]) for run in "ab"]

    index = EpisodeIndex([*paths, paths[0]])  # named twice, read once

    labels = [source.label for source in index.sources]
    assert labels == ["a/out/episodes.jsonl", "b/out/episodes.jsonl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no .*agents evaluate --out"),
        ("", "no episode records in"),
        ('{"version": 1, "pro', "only the beginning of a record; wait"),
        ('{"version": 2}\n', "of version 2; this release reads 1.*upgrade codefeedback-env"),
        ("hello\n", "no record of .* can be read: line 1: not an episode record"),
    ],
)
def test_a_file_without_records_is_an_error_that_says_what_to_do(records: Path, content, message):
    path = records / "episodes.jsonl"
    records.mkdir()
    if content is not None:
        path.write_text(content)

    with pytest.raises(RecordError, match=message):
        EpisodeIndex([path])


def test_a_compressed_file_is_called_so_and_none_of_its_bytes_are_shown(records: Path):
    records.mkdir()
    path = records / "episodes.jsonl.gz"
    path.write_bytes(gzip.compress(episode("packed").to_json().encode()))

    with pytest.raises(RecordError, match="it is compressed; unpack it first") as caught:
        EpisodeIndex([path])
    assert len(str(caught.value)) < len(str(path)) + 200


def test_a_folder_without_records_is_an_error_that_says_how_to_get_some(records: Path):
    records.mkdir()
    (records / "metrics.jsonl").write_text('{"iteration": 0}\n')

    with pytest.raises(RecordError, match=r"no episode records below .*agents evaluate --out DIR"):
        EpisodeIndex([records])

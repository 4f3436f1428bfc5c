"""Where the replies of two runs differ, and whether a tie between two tokens explains it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codefeedback_env import Episode

TIE = 1e-4
"""Two tokens whose logits in float32 differ by less may come in either order: backends sum in
different orders."""

BYTES_BEFORE = 3
"""Of a character of four bytes: tokens of single bytes show in the text only when it is whole."""

EpisodeId = tuple[str, int]
"""Problem and number of the rollout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first reply of an episode that is not the same in two runs."""

    problem_id: str
    rollout: int
    turn: int
    """From 1 on."""

    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A reply again, by the model itself."""

    text: str
    token_ids: Sequence[int]
    gaps: Sequence[float]
    """By how much the likeliest token's logit is above the second's, at each token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs, reply by reply."""

    num_compared: int
    differences: Sequence[Difference]


def compare(
    ours: Mapping[EpisodeId, Episode],
    theirs: Mapping[EpisodeId, Episode],
    max_turns: int | None = None,
) -> Comparison:
    """Compare each episode up to its first difference, as later turns have other prompts.

    Args:
        ours: episodes of a run.
        theirs: the same episodes of another.
        max_turns: how many turns are compared; None for all.

    Raises:
        ValueError: the episodes are not the same.
    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"different episodes: {sorted(ours.keys() ^ theirs.keys())}")
    num_compared, differences = 0, []
    for (problem_id, rollout), episode in ours.items():
        turns, others = episode.turns, theirs[problem_id, rollout].turns
        pairs = zip(turns, others, strict=False)  # equal replies end an episode in the same turn
        for turn, (mine, other) in enumerate(pairs, start=1):
            if max_turns is not None and turn > max_turns:
                break
            num_compared += 1
            if mine.reply != other.reply:
                found = Difference(
                    problem_id=problem_id,
                    rollout=rollout,
                    turn=turn,
                    ours=mine.reply,
                    theirs=other.reply,
                )
                differences.append(found)
                break
    return Comparison(num_compared=num_compared, differences=differences)


def explain(
    difference: Difference,
    replay: Replay,
    decode: Callable[[Sequence[int]], str],
    served: Callable[[Sequence[int]], str] | None = None,
) -> dict[str, Any]:
    """At which token two replies part, and how sure the model is of it there.

    Args:
        difference: of the run whose reply is replayed, and of another.
        replay: of our reply.
        decode: text of tokens.
        served: text of tokens as a server gives it, where the other run asked one.

    Returns:
        In JSON's types; ``why`` is "tie", "decoding" for another text of the same tokens, or None
        for a fault. Where texts leave open which of up to four tokens it is, ``gap`` is the
        smallest of theirs; it is None where our own reply does not come again.
    """
    found: dict[str, Any] = {
        "problem": difference.problem_id,
        "rollout": difference.rollout,
        "turn": difference.turn,
        "token": None,
        "gap": None,
        "why": None,
    }
    if replay.text != difference.ours:
        return found
    if served is not None and _whole(served(replay.token_ids)) == _whole(difference.theirs):
        return {**found, "why": "decoding"}
    token = first_other_token(replay.token_ids, difference.theirs, decode)
    gap = min(replay.gaps[max(0, token - BYTES_BEFORE) : token + 1])
    return {**found, "token": token, "gap": gap, "why": "tie" if gap < TIE else None}


def first_other_token(
    token_ids: Sequence[int], other: str, decode: Callable[[Sequence[int]], str]
) -> int:
    """The index of the first token after which a reply can no longer become another text.

    Where it never comes to that, the other goes on where this one stops: the last index.
    """
    for index in range(len(token_ids)):
        if not other.startswith(_whole(decode(token_ids[: index + 1]))):
            return index
    return len(token_ids) - 1


def _whole(text: str) -> str:
    """A text without a character at its end of which bytes are missing."""
    return text.rstrip("\N{REPLACEMENT CHARACTER}")


def record_keys(path: Path) -> set[str]:
    """All keys of a file of records, such as ``turns[].reply``."""
    found: set[str] = set()

    def walk(value: Any, where: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(f"{where}.{key}" if where else key)
                walk(inner, f"{where}.{key}" if where else key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, f"{where}[]")

    for line in path.read_text(encoding="utf-8").splitlines():
        walk(json.loads(line), "")
    return found

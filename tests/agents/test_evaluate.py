import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from agents.__main__ import main
from agents.evaluate import Rollout, choose_rollouts, play
from agents.generation.base import Conversation
from agents.generation.scripted import SCRIPTED_POLICIES, as_reply
from codefeedback_env import (
    ConfigError,
    Pool,
    Problem,
    ProblemSet,
    Submission,
    TestCase,
    TestReport,
    TestResult,
    Verdict,
    find_submission,
    read_episodes,
)
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, WorkerInfo
from codefeedback_env.make import make_vector_env

PYTHON3 = 3  # its number in CodeContests
ADD = "print(sum(map(int, input().split())))"
LARGEST = "print(max(map(int, input().split())))"
LENGTH = "print(len(input().split()))"


def row(name: str, right: str, wrong: Sequence[str], answers: Sequence[int]) -> dict[str, Any]:
    public, private = ["1 2\n"], ["4 5 9\n", "7\n"]
    outputs = [f"{answer}\n" for answer in answers]
    return {
        "name": name,
        "description": f"Do it: {name}.",
        "public_tests": {"input": public, "output": outputs[:1]},
        "private_tests": {"input": private, "output": outputs[1:]},
        "generated_tests": {"input": [], "output": []},
        "solutions": {
            "language": [PYTHON3] * bool(right),
            "solution": [right] * bool(right),
        },
        "incorrect_solutions": {"language": [PYTHON3] * len(wrong), "solution": list(wrong)},
    }


ADDING = row("adding", ADD, [LARGEST], [3, 18, 7])
# The first wrong program passes the public test: 2 is the largest of 1 and 2, and their number.
COUNTING = row("counting", LENGTH, [LARGEST, ADD], [2, 3, 1])
# Without wrong programs: agents fall back to one that raises.
MAXIMUM = row("maximum", LARGEST, [], [2, 9, 7])
NO_REFERENCE = row("no reference", "", [ADD], [-1, -1, -1])


def evaluate(
    folder: Path, *arguments: str, rows: Sequence[dict[str, Any]] = (ADDING, COUNTING, MAXIMUM)
) -> dict[str, Any]:
    """The summary of a run on these rows, through the command line."""
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = folder / "out"
    assert main(["evaluate", "--path", str(data), "--out", str(out), *arguments]) == 0
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


@pytest.mark.sandbox
def test_reference_programs_solve_everything_at_once(tmp_path: Path) -> None:
    summary = evaluate(tmp_path, "--agent", "reference")
    assert summary["solve_rate"] == 1.0
    assert summary["solved_within"] == [1.0, 1.0, 1.0]
    assert summary["mean_reward"] == 1.0


@pytest.mark.sandbox
@pytest.mark.parametrize(("turn_limit", "expected"), [("1", [0.0]), ("3", [0.0, 1.0, 1.0])])
def test_wrong_then_right_needs_two_turns(
    tmp_path: Path, turn_limit: str, expected: list[float]
) -> None:
    summary = evaluate(tmp_path, "--agent", "wrong-then-right", "--turn-limit", turn_limit)
    assert summary["metric"] == f"1@{turn_limit}"
    assert summary["solve_rate"] == expected[-1]
    assert summary["solved_within"] == expected


@pytest.mark.sandbox
def test_always_wrong_solves_nothing(tmp_path: Path) -> None:
    summary = evaluate(tmp_path, "--agent", "always-wrong", "--rollouts", "2")
    assert summary["solve_rate"] == 0.0
    assert summary["mean_reward"] == -1.0
    assert summary["invalid_reply_rate"] == 0.0


@pytest.mark.sandbox
def test_without_code_every_reply_is_invalid(tmp_path: Path) -> None:
    summary = evaluate(tmp_path, "--agent", "no-code")
    assert summary["invalid_reply_rate"] == 1.0
    assert summary["mean_reward"] == pytest.approx(-0.2 - 0.2 - 1)


@pytest.mark.sandbox
def test_each_problem_is_played_as_often_as_asked_and_recorded(tmp_path: Path) -> None:
    summary = evaluate(
        tmp_path, "--agent", "wrong-then-right", "--rollouts", "3", "--num-envs", "2"
    )
    episodes = list(read_episodes(tmp_path / "out" / "episodes.jsonl"))
    played = Counter(episode.problem_id for episode in episodes)
    assert played == {"adding": 3, "counting": 3, "maximum": 3}
    assert len({episode.seed for episode in episodes}) == 9
    assert all(len(episode.turns) == 2 and episode.private_passed for episode in episodes)
    assert (summary["num_problems"], summary["num_rollouts"]) == (3, 9)
    assert summary["fingerprint"] == episodes[0].settings["fingerprint"]
    assert summary["interval_95"] == [1.0, 1.0]
    assert summary["interval_resamples"] == "rollouts"


@pytest.mark.sandbox
def test_problems_without_reference_program_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate(tmp_path, "--agent", "reference", rows=(ADDING, NO_REFERENCE))
    assert summary["solve_rate"] == 0.5
    assert summary["caveats"] == ["no reference program for 1 problem"]
    assert "no reference program for 1 problem" in capsys.readouterr().out


@pytest.mark.sandbox
def test_the_bundled_split_is_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--agent", "no-code", "--num-problems", "2", "--out", str(tmp_path / "out")]
    assert main(["evaluate", *arguments]) == 0
    assert "not a CodeContests result" in capsys.readouterr().out


@pytest.mark.sandbox
def test_the_transcript_is_of_a_solved_episode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(tmp_path, "--agent", "reference", "--transcript", rows=(NO_REFERENCE, ADDING))
    shown = capsys.readouterr().out
    assert "Do it: adding." in shown
    assert "Do it: no reference." not in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "refrence"], "did you mean 'reference'?"),
        (["--agent", "no-code", "--env", "CartPole-v1"], "unknown environment 'CartPole-v1'"),
        (["--agent", "no-code", "--num-problems", "1000"], "there are 60 only"),
        (["--agent", "no-code", "--feedback", "pubic"], "did you mean 'public'?"),
    ],
)
def test_wrong_options_end_with_a_message_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["evaluate", "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("agents: error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_earlier_results_are_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "episodes.jsonl").write_text("precious")
    assert main(["evaluate", "--agent", "no-code", "--out", str(tmp_path)]) == 2
    assert "give another --out" in capsys.readouterr().err
    assert (tmp_path / "episodes.jsonl").read_text() == "precious"


def test_rollouts_are_a_function_of_the_seed_and_visit_all_problems_in_each_round() -> None:
    ids = [f"problem {i}" for i in range(10)]
    rollouts = choose_rollouts(ids, 4, 3, seed=5)
    assert rollouts == choose_rollouts(ids, 4, 3, seed=5)
    assert rollouts != choose_rollouts(ids, 4, 3, seed=6)
    rounds = [{r.problem_id for r in rollouts[start : start + 4]} for start in (0, 4, 8)]
    assert rounds[0] == rounds[1] == rounds[2]
    assert len(rounds[0]) == 4


def test_more_problems_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match="there are 1 only"):
        choose_rollouts(["a"], 2, 1, seed=0)


@pytest.mark.parametrize("source", [ADD, 'print("```")', "x = '````'\n", "`", ""])
def test_a_program_survives_its_way_through_a_reply(source: str) -> None:
    found = find_submission(as_reply(source))
    assert found is not None
    assert found.source_code == source + "\n"


@pytest.mark.parametrize("name", SCRIPTED_POLICIES)
def test_policies_answer_each_conversation_in_order(name: str) -> None:
    problems = problem_set("a", "b")
    policy = SCRIPTED_POLICIES[name](problems, {"sandbox": FakeJudge()})
    conversations = [
        Conversation(problem_id=i, seed=7, messages=({"role": "user", "content": "?"},))
        for i in ("a", "b", "a")
    ]
    replies = policy.reply(conversations)
    assert len(replies) == 3
    assert replies[0] == replies[2]
    assert replies == policy.reply(conversations)
    policy.close()


def test_no_episode_waits_for_the_slow_program_of_another() -> None:
    judge = FakeJudge()
    vec = make_vector_env(
        2, autoreset_mode="Disabled", dataset=problem_set("slow", "a", "b"), sandbox=judge
    )
    rollouts = [Rollout(problem_id, seed=0) for problem_id in ("slow", "a", "b", "a", "b")]
    ended: list[str] = []
    for _, episode in play(vec, rollouts, SayingTheProblem()):
        ended.append(episode.problem_id)
        assert len(episode.turns) == 3
        if len(ended) == 4:  # only the slow one is left, in its first turn
            assert judge.held is not None
            judge.held.set_result(FAILED)
    assert ended == ["a", "b", "a", "b", "slow"]


def test_a_generator_sees_the_conversation_so_far() -> None:
    vec = make_vector_env(
        1, autoreset_mode="Disabled", dataset=problem_set("a"), sandbox=FakeJudge()
    )
    generator = SayingTheProblem()
    (_, episode), *_ = play(vec, [Rollout("a", seed=11)], generator)
    last = generator.seen[-1]
    assert (last.problem_id, last.seed, last.turn) == ("a", 11, 2)
    assert [message["role"] for message in last.messages] == ["user", "assistant"] * 2 + ["user"]
    assert last.messages[0]["content"] == episode.prompt
    assert last.messages[3]["content"] == episode.turns[1].reply
    assert last.messages[4]["content"] == episode.turns[1].feedback


FAILED = JudgeReport(
    compiled=True,
    compile_error="",
    reports={
        Pool.PUBLIC: TestReport(
            pool=Pool.PUBLIC,
            num_tests=1,
            results=(TestResult(index=0, verdict=Verdict.WRONG_ANSWER),),
        )
    },
)


class FakeJudge:
    """Fails every program at once, but the first that says "slow"."""

    def __init__(self) -> None:
        self.held: Future[JudgeReport] | None = None

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        future: Future[JudgeReport] = Future()
        if "slow" in submission.source_code and self.held is None:
            self.held = future
        else:
            future.set_result(FAILED)
        return future

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        return self.submit(problem, submission, plan).result()

    def cancel(self, future: "Future[JudgeReport]") -> None: ...

    def info(self) -> WorkerInfo:
        return WorkerInfo(sandbox="fake", python_version="3.11", numpy_version=None)

    def close(self) -> None: ...


class SayingTheProblem:
    """Its program is the name of the problem."""

    caveats: Sequence[str] = ()

    def __init__(self) -> None:
        self.seen: list[Conversation] = []

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        self.seen += conversations
        return [as_reply(conversation.problem_id) for conversation in conversations]

    def close(self) -> None: ...


def problem_set(*ids: str) -> ProblemSet:
    test = (TestCase("1\n", "1\n"),)
    return ProblemSet.from_problems(
        [Problem(id=i, statement=i, public_tests=test, private_tests=test) for i in ids],
        reference_programs={i: ["right = 1", "right = 2"] for i in ids},
        wrong_programs={i: ["wrong = 1", "wrong = 2"] for i in ids},
    )

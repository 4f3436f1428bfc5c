"""How much of the judge's own throughput a suite reaches when replies come at once.

A suite plays episodes, writes a record of each and begins the next; meanwhile the judge's workers
should never wait. The same submissions go to the same judge in two ways, one after the other: as
the suite's loop hands them in, and all in one go. The share is the ratio of the times. A first pair
warms up, and tells how many episodes the others need to take about ``--seconds`` together::

    python -m benchmarks judging_share --save
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

from agents.evaluate import choose_rollouts, play
from agents.generation.base import Conversation
from agents.generation.scripted import as_reply
from benchmarks import record
from codefeedback_env import CodeFeedbackVectorEnv, ProblemSet, Submission, load_problems
from codefeedback_env.judge.judge import Judge
from codefeedback_env.judge.protocol import JudgeReport, PackedProblem, Plan, WorkerInfo
from codefeedback_env.make import make_vector_env

EXPECTED_SHARE = 0.85
"""Written down before the first measurement."""

WARM_UP_EPISODES = 100
FEWEST_EPISODES = 200
"""However slow the machine is: a share of fewer is one of how they begin and end."""

Call = tuple[PackedProblem, Submission, Plan]


class RememberingJudge:
    """A judge that keeps what it was asked, so that it can be asked again."""

    def __init__(self, judge: Judge) -> None:
        """Over a judge, which somebody else closes."""
        self.calls: list[Call] = []
        self._judge = judge

    def submit(
        self, problem: PackedProblem, submission: Submission, plan: Plan
    ) -> "Future[JudgeReport]":
        """See JudgeLike."""
        self.calls.append((problem, submission, plan))
        return self._judge.submit(problem, submission, plan)

    def judge(self, problem: PackedProblem, submission: Submission, plan: Plan) -> JudgeReport:
        """See JudgeLike."""
        return self.submit(problem, submission, plan).result()

    def cancel(self, future: "Future[JudgeReport]") -> None:
        """See JudgeLike."""
        self._judge.cancel(future)

    def info(self) -> WorkerInfo:
        """See JudgeLike."""
        return self._judge.info()

    def close(self) -> None:
        """Nothing: the workers go on."""


class InstantReplies:
    """A generator whose replies are there already: a wrong program, then a right one."""

    def __init__(self, problems: ProblemSet) -> None:
        """Read all programs."""
        self._wrong = {
            problem_id: [
                as_reply(program.submission.source_code)
                for program in problems.wrong_programs(problem_id)
            ]
            for problem_id in problems.ids
        }
        self._right = {
            problem_id: as_reply(problems.reference_programs(problem_id)[0].source_code)
            for problem_id in problems.ids
        }

    def reply(self, conversations: Sequence[Conversation]) -> list[str]:
        """See Generator."""
        return [self._answer(conversation) for conversation in conversations]

    @property
    def caveats(self) -> Sequence[str]:
        """None."""
        return ()

    def close(self) -> None:
        """Nothing."""

    def _answer(self, conversation: Conversation) -> str:
        wrong = self._wrong[conversation.problem_id]
        if conversation.turn or not wrong:
            return self._right[conversation.problem_id]
        return wrong[conversation.seed % len(wrong)]


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``judging_share``."""
    parser = verbs.add_parser(
        "judging_share", help="measure how busy a suite keeps the judge", description=__doc__
    )
    _add_options(parser)
    parser.set_defaults(run=lambda options, arguments: run(options, arguments[1:]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as a module of its own; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging_share", description=__doc__)
    _add_options(parser)
    return run(parser.parse_args(arguments), arguments)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Measure, print and save; returns 1 where the expectation is missed."""
    result = record.begin("judging_share", arguments)
    record.say(f"expected: at least {EXPECTED_SHARE:.0%} of the judge's own throughput")
    result.update(
        measure(
            options.episodes, options.num_envs, options.workers, options.repeats, options.seconds
        )
    )
    share, low, high = result["share"], min(result["shares"]), max(result["shares"])
    verdict = "holds" if result["holds"] else "MISSED"
    record.say(
        f"{verdict}: {share:.1%} of the judge's own throughput ({low:.1%} to {high:.1%}), expected "
        f"at least {EXPECTED_SHARE:.0%}"
    )
    record.finish(result, folder=options.save)
    return 0 if result["holds"] else 1


def measure(
    num_episodes: int | None,
    num_envs: int,
    num_workers: int | None,
    repeats: int,
    seconds: float = 75.0,
) -> dict[str, Any]:
    """The share, from ``repeats`` pairs of measurements after one to warm up.

    Args:
        num_episodes: of each measurement; None for as many as take about ``seconds`` in all.
        num_envs: episodes at once.
        num_workers: of the judge; None for one for each CPU.
        repeats: pairs that count.
        seconds: for all of those.
    """
    problems = load_problems("bundled")
    replies = InstantReplies(problems)
    # Reports of programs that come again must not be remembered: all are judged twice.
    with closing(Judge(num_workers=num_workers, num_remembered=0)) as judge:
        pairs = []
        played = num_episodes or WARM_UP_EPISODES
        for number in range(repeats + 1):
            suite_s, calls = _play(problems, replies, judge, played, num_envs, seed=number)
            alone_s = _judge_at_once(judge, calls)
            pairs.append((suite_s, alone_s, len(calls)))
            record.say(
                f"{'warm-up' if not number else f'pair {number}'}: {len(calls)} submissions in "
                f"{suite_s:.2f} s by the suite, in {alone_s:.2f} s by the judge alone"
            )
            if num_episodes is None and not number:
                per_episode_s = (suite_s + alone_s) / played
                played = max(FEWEST_EPISODES, round(seconds / repeats / per_episode_s))
        sandbox, workers = judge.info().sandbox, judge.settings.num_workers
    shares = [alone_s / suite_s for suite_s, alone_s, _ in pairs[1:]]
    share = statistics.median(shares)
    return {
        "sandbox": sandbox,
        "num_workers": workers,
        "num_envs": num_envs,
        "num_episodes": played,
        "submissions_per_s": statistics.median(n / suite_s for suite_s, _, n in pairs[1:]),
        "judge_submissions_per_s": statistics.median(n / alone_s for _, alone_s, n in pairs[1:]),
        "shares": shares,
        "share": share,
        "expected_share": EXPECTED_SHARE,
        "holds": share >= EXPECTED_SHARE,
    }


def _play(
    problems: ProblemSet,
    replies: InstantReplies,
    judge: Judge,
    num_episodes: int,
    num_envs: int,
    seed: int,
) -> tuple[float, list[Call]]:
    """Seconds that the suite's loop takes, records and all, and what it had judged."""
    remembering = RememberingJudge(judge)
    num_rollouts = -(-num_episodes // len(problems))
    rollouts = choose_rollouts(problems.ids, None, num_rollouts, seed)[:num_episodes]
    vec = make_vector_env(
        min(num_envs, num_episodes),
        autoreset_mode="Disabled",
        dataset=problems,
        sandbox=remembering,
    )
    assert isinstance(vec, CodeFeedbackVectorEnv)
    with closing(vec), tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with (Path(folder) / "episodes.jsonl").open("ab", buffering=0) as file:
            for _, episode in play(vec, rollouts, replies):
                file.write(episode.to_json().encode("ascii") + b"\n")
        return time.perf_counter() - start, remembering.calls


def _judge_at_once(judge: Judge, calls: Sequence[Call]) -> float:
    """Seconds that the judge takes for all of them, handed in together."""
    start = time.perf_counter()
    for future in [judge.submit(*call) for call in calls]:
        future.result()
    return time.perf_counter() - start


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--episodes", type=record.positive, help="default: what takes about --seconds")
    add("--seconds", type=record.seconds, default=75.0, help="default: %(default)s")
    add("--num-envs", type=record.positive, default=64, help="default: %(default)s")
    add("--workers", type=record.positive, help="of the judge; default: one for each CPU")
    add("--repeats", type=record.positive, default=5, help="default: %(default)s")
    record.add_save_option(parser)


if __name__ == "__main__":
    sys.exit(main())

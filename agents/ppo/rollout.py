"""Episodes played by a generator of tokens, many at once."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.generation.tokens import (
    GeneratorError,
    Sampling,
    TokenGenerator,
    TokenReply,
    TokenRequest,
)
from agents.metrics import invalid_replies
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import CodeFeedbackVectorEnv, ConfigError, Verdict, find_submission

if TYPE_CHECKING:
    from agents.chat import ChatFormat

MAX_REVIVALS = 2  # of the generator, in a row


@dataclass(frozen=True, slots=True)
class Rollout:
    """An episode to be played."""

    problem_id: str
    seed: int
    group: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueLimits:
    """Lengths in tokens."""

    max_prompt: int
    max_feedback: int
    max_context: int
    """Of a whole episode, replies included."""


@dataclass(slots=True)
class RolloutClock:
    """Where the time of playing went, and what was lost."""

    generate_s: float = 0.0
    judge_wait_s: float = 0.0
    """Nothing to generate: waiting for programs."""

    env_s: float = 0.0
    """Sending, receiving and turning text into tokens."""

    num_sandbox_failures: int = 0
    num_revivals: int = 0


@dataclass(slots=True)
class _Live:
    rollout: Rollout
    trajectory: Trajectory
    iteration: int
    """Of the trainer, when it began."""

    pending_prompt: list[int]
    """What comes after ``context``, up to the reply that is due."""

    context: list[int] = field(default_factory=list)


class RolloutEngine:
    """Plays episodes: the replies of some are generated while the programs of others run.

    ``start`` begins rollouts in free environments; each ``advance`` generates and judges a little
    and returns the trajectories that ended. An episode that the sandbox failed is dropped and
    counted.

    Args:
        vec: environments, autoreset disabled.
        generator: continues the dialogues.
        chat: how messages become tokens.
        limits: lengths; ``max_context`` at most the generator's.
        sampling: how replies are drawn.
        ordered: all replies of a turn are generated before any program runs, and all programs end
            before the next turn: nothing depends on which program ends first.
        revive: makes a new generator where the old one broke down; without it that is an error.
    """

    def __init__(
        self,
        vec: CodeFeedbackVectorEnv,
        generator: TokenGenerator,
        chat: "ChatFormat",
        limits: DialogueLimits,
        sampling: Sampling,
        *,
        ordered: bool = False,
        revive: Callable[[], TokenGenerator] | None = None,
    ) -> None:
        """See the class."""
        if limits.max_context > generator.max_context:
            raise ConfigError(
                f"max_context_tokens={limits.max_context} is more than the "
                f"{generator.max_context} of the generator; lower it."
            )
        self.generator = generator
        self.iteration = 0
        """Of the trainer; ``abandon_older_than`` goes by it."""

        self.clock = RolloutClock()
        self._vec = vec
        self._chat = chat
        self._limits = limits
        self._sampling = sampling
        self._ordered = ordered
        self._revive = revive
        self._num_revivals_in_a_row = 0
        self._live: dict[int, _Live] = {}
        self._generating: set[int] = set()
        self._judging: set[int] = set()
        self._replies: dict[int, TokenReply] = {}  # done, not yet sent, where ordered
        self._failed: list[Rollout] = []

    @property
    def num_free(self) -> int:
        """Environments without an episode."""
        return self._vec.num_envs - len(self._live)

    @property
    def num_live(self) -> int:
        """Episodes under way."""
        return len(self._live)

    def start(self, rollouts: Sequence[Rollout]) -> None:
        """Begin episodes, no more than are free."""
        self._request(self._begin(rollouts))

    def advance(self) -> list[Trajectory]:
        """Generate and judge until something happened; returns the trajectories that ended.

        Raises:
            GeneratorError: the generator broke down and could not be revived.
            SandboxError: the sandbox failed three times in a row.
        """
        for reply in self._step_generator():
            self._generating.discard(reply.dialogue)
            self._replies[reply.dialogue] = reply
        if self._ordered and self._generating:
            return []
        self._send(sorted(self._replies))
        ended, due = self._receive(self._num_to_wait_for)
        self._request(due)
        return ended

    def take_clock(self) -> RolloutClock:
        """What was counted since the last call."""
        clock, self.clock = self.clock, RolloutClock()
        return clock

    def take_failed(self) -> list[Rollout]:
        """Rollouts that the sandbox failed since the last call; no trajectory comes of them."""
        failed, self._failed = self._failed, []
        return failed

    def abandon_older_than(self, iteration: int) -> int:
        """Drop episodes that began before this iteration; returns how many."""
        old = [env_id for env_id, live in self._live.items() if live.iteration < iteration]
        self._drop(old)
        return len(old)

    def in_flight(self) -> list[dict[str, Any]]:
        """The episodes under way, for ``restore``, in JSON's types."""
        return [
            {
                "problem_id": live.rollout.problem_id,
                "seed": live.rollout.seed,
                "group": live.rollout.group,
                "iteration": live.iteration,
                "turns": [
                    {
                        "prompt_ids": turn.prompt_ids,
                        "reply_ids": turn.reply_ids,
                        "reply_logprobs": turn.reply_logprobs,
                        "is_cut": turn.is_cut,
                        "weight_version": turn.weight_version,
                    }
                    for turn in live.trajectory.turns
                ],
            }
            for _, live in sorted(self._live.items())
        ]

    def restore(self, episodes: Sequence[dict[str, Any]]) -> list[Trajectory]:
        """Bring episodes of ``in_flight`` back by giving their replies again.

        Returns:
            Those that ended with their last reply.
        """
        ended: list[Trajectory] = []
        for episode in episodes:
            rollout = Rollout(episode["problem_id"], episode["seed"], episode["group"])
            (env_id,) = self._begin([rollout])
            self._live[env_id].iteration = episode["iteration"]
            for turn in episode["turns"]:
                if env_id not in self._live:
                    break  # the sandbox failed it
                self._replies[env_id] = TokenReply(
                    dialogue=env_id,
                    token_ids=turn["reply_ids"],
                    logprobs=turn["reply_logprobs"],
                    is_cut=turn["is_cut"],
                    weight_version=turn["weight_version"],
                )
                self._send([env_id])
                ended += self._receive(1)[0]
        self._request(sorted(self._live))
        return ended

    def pause(self) -> None:
        """Leave the generator to another engine; replies under way are begun anew by ``go_on``."""
        self.generator.forget(self._live)

    def go_on(self) -> None:
        """After ``pause``."""
        self._request(sorted(self._generating))

    def _begin(self, rollouts: Sequence[Rollout]) -> list[int]:
        """Reset an environment for each; returns which."""
        if not rollouts:
            return []
        start = time.perf_counter()
        all_ids = range(self._vec.num_envs)
        free = [env_id for env_id in all_ids if env_id not in self._live]
        if len(free) < len(rollouts):
            raise ConfigError(f"{len(rollouts)} rollouts, but {len(free)} environments are free.")
        begun = dict(zip(free, rollouts, strict=False))
        options = {
            "reset_mask": np.array([env_id in begun for env_id in all_ids]),
            "problem": [begun[i].problem_id if i in begun else None for i in all_ids],
        }
        seeds = [begun[i].seed if i in begun else None for i in all_ids]
        prompts = self._vec.reset(seed=seeds, options=options)[0]
        for env_id, rollout in begun.items():
            trajectory = Trajectory(
                problem_id=rollout.problem_id, seed=rollout.seed, group=rollout.group
            )
            prompt_ids = self._chat.prompt_ids(prompts[env_id], self._limits.max_prompt)
            self._live[env_id] = _Live(rollout, trajectory, self.iteration, prompt_ids)
        self.clock.env_s += time.perf_counter() - start
        return list(begun)

    def _request(self, env_ids: Iterable[int]) -> None:
        """Ask for the next reply of these episodes."""
        requests = []
        for env_id in env_ids:
            live = self._live[env_id]
            prompt = live.context + live.pending_prompt
            room = self._limits.max_context - len(prompt)
            sampling = self._sampling
            if room < sampling.max_new_tokens:
                sampling = Sampling(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=sampling.top_k,
                    max_new_tokens=room,
                )
            turn = len(live.trajectory.turns)
            seed = int(np.random.SeedSequence((live.rollout.seed, turn)).generate_state(1)[0])
            requests.append(
                TokenRequest(dialogue=env_id, prompt_ids=prompt, seed=seed, sampling=sampling)
            )
            self._generating.add(env_id)
        if not requests:
            return
        start = time.perf_counter()
        self.generator.add(requests)
        self.clock.generate_s += time.perf_counter() - start

    def _step_generator(self) -> list[TokenReply]:
        if not self._generating:
            return []
        start = time.perf_counter()
        try:
            replies = self.generator.step()
        except GeneratorError:
            self._num_revivals_in_a_row += 1
            if self._revive is None or self._num_revivals_in_a_row > MAX_REVIVALS:
                raise
            self.clock.num_revivals += 1
            self.generator = self._revive()
            self._request(sorted(self._generating))
            return []
        finally:
            self.clock.generate_s += time.perf_counter() - start
        if replies:
            self._num_revivals_in_a_row = 0
        return replies

    def _send(self, ready: Sequence[int]) -> None:
        if not ready:
            return
        start = time.perf_counter()
        texts = []
        for env_id in ready:
            live, reply = self._live[env_id], self._replies.pop(env_id)
            text = self._chat.reply_text(reply.token_ids)
            live.trajectory.turns.append(
                TurnTokens(
                    prompt_ids=live.pending_prompt,
                    reply_ids=reply.token_ids,
                    reply_logprobs=reply.logprobs,
                    is_cut=reply.is_cut,
                    weight_version=reply.weight_version,
                    is_valid=find_submission(text) is not None,
                )
            )
            live.context += live.pending_prompt + reply.token_ids
            texts.append(text)
        self._vec.send(texts, ready)
        self._judging.update(ready)
        self.clock.env_s += time.perf_counter() - start

    @property
    def _num_to_wait_for(self) -> int:
        if self._ordered:
            return len(self._judging)
        return 0 if self._generating else 1

    def _receive(self, min_envs: int) -> tuple[list[Trajectory], list[int]]:
        """Take in judged programs; returns the episodes that ended, and who needs a reply."""
        ended: list[Trajectory] = []
        due: list[int] = []
        if not self._judging:
            return ended, due
        start = time.perf_counter()
        observations, rewards, terminations, truncations, infos = self._vec.recv(min_envs)
        received = time.perf_counter()
        self.clock.judge_wait_s += received - start
        rows = sorted((env_id, row) for row, env_id in enumerate(infos.get("env_id", ())))
        for env_id, row in ((int(env_id), row) for env_id, row in rows):
            self._judging.discard(env_id)
            live = self._live[env_id]
            turn = live.trajectory.turns[-1]
            turn.reward = float(rewards[row])
            _note_verdicts(turn, infos, row)
            if truncations[row]:
                self.clock.num_sandbox_failures += 1
                self._failed.append(live.rollout)
                self._drop([env_id])
            elif terminations[row]:
                live.trajectory.private_passed = bool(infos["private_passed"][row])
                live.trajectory.episode = self._vec.last_episode(env_id)
                _note_programs(live.trajectory)
                ended.append(live.trajectory)
                self._drop([env_id])
            else:
                live.pending_prompt = self._chat.feedback_ids(
                    observations[row],
                    last_reply_ids=turn.reply_ids,
                    max_tokens=self._limits.max_feedback,
                )
                if len(live.context) + len(live.pending_prompt) < self._limits.max_context:
                    due.append(env_id)
                    continue
                # The last submission is the final one, and was not accepted.
                turn.reward = self._vec.rules.reward.final({}, False)
                live.trajectory.ended_by_limit = True
                ended.append(live.trajectory)
                self._drop([env_id])
        self.clock.env_s += time.perf_counter() - received
        return ended, due

    def _drop(self, env_ids: Sequence[int]) -> None:
        self.generator.forget(env_ids)
        for env_id in env_ids:
            del self._live[env_id]
            self._generating.discard(env_id)
            self._judging.discard(env_id)
            self._replies.pop(env_id, None)


def play(engine: RolloutEngine, rollouts: Iterable[Rollout]) -> Iterator[Trajectory]:
    """Play all rollouts and yield each trajectory as it ends; failed ones are left out."""
    waiting = deque(rollouts)
    while waiting or engine.num_live:
        free = min(engine.num_free, len(waiting))
        engine.start([waiting.popleft() for _ in range(free)])
        yield from engine.advance()


def _note_programs(trajectory: Trajectory) -> None:
    """Which replies had a program is for the environment to say: some go on from a prefix."""
    if trajectory.episode is not None:
        is_invalid = invalid_replies(trajectory.episode)
        for turn, invalid in zip(trajectory.turns, is_invalid, strict=True):
            turn.is_valid = not invalid


def _note_verdicts(turn: TurnTokens, infos: dict[str, Any], row: int) -> None:
    """What the public tests said of a turn's program."""
    counts = {
        verdict: int(column[row])
        for verdict, column in infos.get("public_verdicts", {}).items()
        if not verdict.startswith("_") and infos["public_verdicts"][f"_{verdict}"][row]
    }
    total = sum(counts.values())
    turn.public_fraction = counts.get(Verdict.ACCEPTED.value, 0) / total if total else 0.0
    turn.is_valid = turn.is_valid and not counts.get(Verdict.COMPILE_ERROR.value)

"""Our side: the trainer's parts, put together as ``agents.ppo.trainer`` does, with a clock."""

import dataclasses
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any, cast

import torch
from accelerate import Accelerator

from agents.generation.sync import probe_sequence, verify_sync
from agents.generation.tokens import Sampling, TokenRequest
from agents.generation.torch_ import GPU_TOKENS_PER_STEP, TorchGenerator
from agents.ppo.advantages import targets
from agents.ppo.build import load_chat, make_train_envs
from agents.ppo.collect import Collector
from agents.ppo.config import PPOConfig
from agents.ppo.learner import Learner
from agents.ppo.networks import DTYPES, build_networks
from agents.ppo.packing import pack
from agents.ppo.problem_stream import ProblemStream
from agents.ppo.rollout import DialogueLimits, RolloutEngine
from agents.ppo.trainer import PROBE_TOKENS, SYNC_TOLERANCE
from agents.trajectory import Trajectory, TurnTokens
from benchmarks.train_throughput.limits import synchronise
from benchmarks.train_throughput.programs import ProgramMix, ProgramsInstead
from benchmarks.train_throughput.shapes import MAX_VOCABULARY
from codefeedback_env import CodeFeedbackVectorEnv


@dataclasses.dataclass(frozen=True, slots=True)
class DecodeRate:
    """Of a full batch whose prompts have been read."""

    tokens_per_s: float
    context: float
    """Tokens before the one decoded, on average."""


class Iterations:
    """Environments, sandbox, generator and learner, kept over the rounds.

    No token ends a reply, so all are as long as the limit.
    """

    def __init__(self, config: PPOConfig, device: torch.device, stack: ExitStack) -> None:
        """Makes everything; ``stack`` closes it.

        Raises:
            ConfigError: the device cannot do what the settings ask for.
        """
        self.config = config
        self.device = device
        self._chat = load_chat(config)
        vec = stack.enter_context(closing(make_train_envs(config, 1)))
        self.accelerator = Accelerator(
            mixed_precision="no", cpu=device.type == "cpu", step_scheduler_with_optimizer=False
        )
        self._networks = build_networks(config, device)
        self._learner = Learner(config, self._networks, self.accelerator)
        self._tokens_per_step = GPU_TOKENS_PER_STEP if device.type == "cuda" else 1
        self._generator = TorchGenerator(
            config.model,
            stop_ids=(),
            device=device,
            dtype=DTYPES[config.precision],
            max_context=config.max_context_tokens,
            max_batch=config.num_envs,
            tokens_per_step=self._tokens_per_step,
        )
        stack.enter_context(closing(self._generator))
        vocabulary = self._networks.reference.model.config.get_text_config().vocab_size
        self._probe_ids = probe_sequence(vocabulary, PROBE_TOKENS)
        envs = ProgramsInstead(vec, ProgramMix())
        self._overlapped = self._collector(vec, envs, ordered=False)
        self._ordered = self._collector(vec, envs, ordered=True)
        self.trajectories: list[Trajectory] = []
        """Of the last iteration."""

        self.num_sandbox_failures = 0
        self._number = 0

    def iterate(self) -> dict[str, float]:
        """One iteration, and its episodes once more without overlap; the seconds of each phase."""
        seconds: dict[str, float] = {}
        if self._number % 2:  # so that neither always comes first
            seconds |= self._collect_ordered()
        start = self.now()
        self.trajectories = self._overlapped.collect(self._number).trajectories
        collected = self.now()
        clock = self._overlapped.engine.take_clock()
        scores = self._learner.score(self.trajectories)
        scored = self.now()
        goals = targets(self.trajectories, scores, self.config)
        aimed = self.now()
        self._generator.sleep()
        self._learner.update(self.trajectories, scores, goals, self._number)
        self._generator.wake()
        updated = self.now()
        self._generator.load_weights(self._networks.policy_tensors(), self._number + 1)
        tolerance = SYNC_TOLERANCE[self.config.precision]
        verify_sync(self._generator, self._logprobs, self._probe_ids, tolerance)
        end = self.now()
        self.num_sandbox_failures += clock.num_sandbox_failures
        seconds |= {
            "generate": clock.generate_s,
            "judge_wait": clock.judge_wait_s,
            "env": clock.env_s,
            "collect": collected - start,
            "score": scored - collected,
            "targets": aimed - scored,
            "update": updated - aimed,
            "sync": end - updated,
            "iteration": end - start,
        }
        if "ordered_collect" not in seconds:
            seconds |= self._collect_ordered()
        self._number += 1
        return seconds

    def decode_rate(self) -> DecodeRate:
        """Of as many replies at once as there are episodes, to prompts as long as the limit."""
        config, generator = self.config, self._generator
        ids = probe_sequence(MAX_VOCABULARY // 2, config.max_prompt_tokens)
        batch = config.num_rollouts
        self._request([ids] * batch)
        generator.step()  # reads the prompts, and draws the first tokens
        num_drawn = self._tokens_per_step
        start = self.now()
        while generator.num_unfinished:
            generator.step()
        seconds = self.now() - start
        generator.forget(range(batch))
        return DecodeRate(
            tokens_per_s=batch * (config.max_reply_tokens - num_drawn) / seconds,
            context=len(ids) + (config.max_reply_tokens + num_drawn) / 2,
        )

    def generate(self, prompts: Sequence[Sequence[int]]) -> float:
        """Reply to each of these; returns the seconds it took."""
        start = self.now()
        self._request(prompts)
        while self._generator.num_unfinished:
            self._generator.step()
        seconds = self.now() - start
        self._generator.forget(range(len(prompts)))
        return seconds

    def now(self) -> float:
        """The clock, once the device is done."""
        synchronise(self.device)
        return time.perf_counter()

    def _collector(
        self, vec: CodeFeedbackVectorEnv, envs: ProgramsInstead, *, ordered: bool
    ) -> Collector:
        config = self.config
        engine = RolloutEngine(
            cast(Any, envs),
            self._generator,
            self._chat,
            DialogueLimits(
                max_prompt=config.max_prompt_tokens,
                max_feedback=config.max_feedback_tokens,
                max_context=config.max_context_tokens,
            ),
            Sampling(temperature=config.temperature, max_new_tokens=config.max_reply_tokens),
            ordered=ordered,
        )
        stream = ProblemStream(vec.rules.problems.ids, config.seed)
        return Collector(engine, stream, config.num_rollouts)

    def _collect_ordered(self) -> dict[str, float]:
        start = self.now()
        self._ordered.collect(self._number)
        seconds = self.now() - start
        clock = self._ordered.engine.take_clock()
        self.num_sandbox_failures += clock.num_sandbox_failures
        return {
            "ordered_collect": seconds,
            "ordered_generate": clock.generate_s,
            "ordered_judge_wait": clock.judge_wait_s,
        }

    def _request(self, prompts: Sequence[Sequence[int]]) -> None:
        sampling = Sampling(max_new_tokens=self.config.max_reply_tokens)
        self._generator.add(
            TokenRequest(dialogue=number, prompt_ids=ids, seed=number, sampling=sampling)
            for number, ids in enumerate(prompts)
        )

    @torch.no_grad()
    def _logprobs(self, token_ids: Sequence[int]) -> list[float]:
        turn = TurnTokens(
            prompt_ids=list(token_ids[:1]),
            reply_ids=list(token_ids[1:]),
            reply_logprobs=[],
            is_cut=False,
            weight_version=0,
        )
        batch = pack([Trajectory(problem_id="", seed=0, turns=[turn])]).to(self.device)
        logprobs, _ = self._networks.policy(batch)
        return [float(logprob) for logprob in logprobs]

"""The training loop of RLEF, to be read from top to bottom."""

import dataclasses
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from agents.generation.sync import probe_sequence, verify_sync
from agents.generation.tokens import Sampling, TokenGenerator
from agents.ppo import checkpoints
from agents.ppo.advantages import targets
from agents.ppo.build import (
    load_chat,
    make_generator,
    make_train_envs,
    make_valid_envs,
    training_problem_ids,
)
from agents.ppo.collect import Collection, Collector
from agents.ppo.config import PPOConfig
from agents.ppo.evaluation import choose, play_all, summarise, write_transcripts
from agents.ppo.learner import Learner, TrainingError
from agents.ppo.logs import Logs
from agents.ppo.losses import explained_variance
from agents.ppo.networks import build_networks
from agents.ppo.packing import pack
from agents.ppo.problem_stream import ProblemStream
from agents.ppo.rollout import DialogueLimits, RolloutEngine
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import ConfigError

Observer = Callable[[dict[str, Any]], None]
PROBE_TOKENS = 32
SYNC_TOLERANCE = {"float32": 1e-3, "bfloat16": 1.0}
"""Greatest difference in the log-probability of a token between generator and trainer."""


def train(config: PPOConfig, *, resume: bool = False, observer: Observer | None = None) -> Path:
    """Train a policy.

    Args:
        config: every setting.
        resume: go on from the last checkpoint in ``config.out``, or begin if there is none.
        observer: called with the metrics of each iteration, in the main process.

    Returns:
        The folder of the best policy by validation solve rate, or of the last one where none was
        evaluated; ``AutoModelForCausalLM.from_pretrained`` loads it.

    Raises:
        ConfigError: settings do not fit each other, the model, the data or the machine.
        TrainingError: a loss or gradient is not finite.
        CheckpointError: a checkpoint could not be written.
        SandboxError: the sandbox fails again and again.
        GeneratorError: so does the generator.

    Source: Gehring et al. 2025, arXiv:2410.02089, sections 2 and 3.1.
    """
    with ExitStack() as stack:
        return _Run(config, resume, observer, stack).run()


class _Run:
    """Everything that a run holds, and its loop."""

    def __init__(
        self, config: PPOConfig, resume: bool, observer: Observer | None, stack: ExitStack
    ) -> None:
        self.config = config
        self.observer = observer
        self.accelerator = Accelerator(
            mixed_precision="no",  # the networks cast themselves, so that scoring does as well
            step_scheduler_with_optimizer=False,
        )
        self.is_main = self.accelerator.is_main_process
        num_processes = self.accelerator.num_processes
        if config.num_rollouts % (num_processes * config.group_size):
            raise ConfigError(
                f"num_rollouts={config.num_rollouts} cannot be shared by {num_processes} processes "
                f"in groups of {config.group_size}; change it to a multiple."
            )
        checkpoint = checkpoints.latest(config.out)
        if checkpoint is not None and not resume:
            raise ConfigError(
                f"{config.out} holds a run with the checkpoint {checkpoint.name}; resume it, or "
                "give another out."
            )
        if self.is_main:
            checkpoints.write_config(config)
            if checkpoint is None:
                checkpoints.start_over(config.out, may_drop=resume)
        self.chat = load_chat(config)
        vec = stack.enter_context(closing(make_train_envs(config, num_processes)))
        valid = None
        if config.eval_every:
            valid = stack.enter_context(closing(make_valid_envs(config, vec.num_envs)))
        _seed_everything(config.seed + self.accelerator.process_index)
        networks = build_networks(config, self.accelerator.device)
        self.learner = Learner(config, networks, self.accelerator)
        self.networks = networks
        self.iteration = 0
        self.generator = self._new_generator()
        stack.callback(lambda: self.generator.close())
        limits = DialogueLimits(
            max_prompt=config.max_prompt_tokens,
            max_feedback=config.max_feedback_tokens,
            max_context=config.max_context_tokens,
        )
        self.engine = RolloutEngine(
            vec,
            self.generator,
            self.chat,
            limits,
            Sampling(temperature=config.temperature, max_new_tokens=config.max_reply_tokens),
            ordered=config.ordered,
            revive=self._new_generator,
        )
        stream = ProblemStream(
            training_problem_ids(config, vec.rules.problems.ids),
            config.seed,
            config.group_size,
            self.accelerator.process_index,
            num_processes,
        )
        self.collector = Collector(
            self.engine,
            stream,
            config.num_rollouts // num_processes,
            config.max_staleness,
            config.num_rollouts // num_processes * config.max_resampling
            if config.dynamic_sampling
            else None,
        )
        self.valid_engine: RolloutEngine | None = None
        if valid is not None:
            self.valid_engine = RolloutEngine(
                valid,
                self.generator,
                self.chat,
                limits,
                Sampling(
                    temperature=config.eval_temperature,
                    top_p=config.eval_top_p,
                    max_new_tokens=config.max_reply_tokens,
                ),
                ordered=config.ordered,
            )
            self.valid_rollouts = choose(
                valid.rules.problems.ids,
                config.eval_num_problems,
                config.eval_rollouts,
                config.seed,
            )[self.accelerator.process_index :: num_processes]
        if checkpoint is not None:
            self._load(checkpoint)
        self.logs = stack.enter_context(
            Logs(config, self.iteration) if self.is_main else Logs.silent()
        )

    def run(self) -> Path:
        """All iterations that are left; returns the folder of the best policy."""
        config = self.config
        if self.iteration == 0 and config.eval_every:
            before: dict[str, Any] = {}
            self._evaluate(before)
            self.logs.before_training(before)
        while self.iteration < config.num_iterations:
            start = time.perf_counter()
            metrics: dict[str, Any] = {}

            self.logs.phase("play")
            collection = self.collector.collect(self.iteration, self._progress)
            collected = time.perf_counter()
            trajectories = self.learner.gather(_without_records(collection.trajectories))

            self.logs.phase("score")
            scores = self.learner.score(trajectories)
            goals = targets(trajectories, scores, config)
            scored = time.perf_counter()

            if not config.max_staleness:  # else replies are under way
                self.generator.sleep()
            self.logs.phase("update")
            try:
                updated = self.learner.update(trajectories, scores, goals, self.iteration)
            except TrainingError as error:
                kept = checkpoints.latest(config.out)
                where = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint"
                raise TrainingError(f"iteration {self.iteration + 1}: {error} ({where})") from error
            if not config.max_staleness:
                self.generator.wake()
            trained = time.perf_counter()

            self.iteration += 1
            sync_error = self._sync()
            synced = time.perf_counter()

            metrics |= self._collection_metrics(collection, trajectories)
            metrics |= dataclasses.asdict(updated)
            metrics["kl"] = float(np.mean(np.concatenate([goal.kl for goal in goals])))
            if config.has_critic:
                metrics["explained_variance"] = explained_variance(
                    torch.cat([torch.as_tensor(s.values) for s in scores]),
                    torch.cat([torch.as_tensor(goal.returns) for goal in goals]),
                )
            metrics["sync_error"] = sync_error
            is_last = self.iteration == config.num_iterations
            if config.eval_every and (self.iteration % config.eval_every == 0 or is_last):
                self._evaluate(metrics)
            evaluated = time.perf_counter()
            if is_last or (
                config.checkpoint_every and self.iteration % config.checkpoint_every == 0
            ):
                self._save()
            end = time.perf_counter()
            metrics |= {
                "collect_s": collected - start,
                "score_s": scored - collected,
                "update_s": trained - scored,
                "sync_s": synced - trained,
                "evaluate_s": evaluated - synced,
                "checkpoint_s": end - evaluated,
                "iteration_s": end - start,
            }
            num_tokens = sum(trajectory.num_tokens for trajectory in trajectories)
            metrics["tokens_per_s"] = num_tokens / (synced - start)
            self._log(metrics)
        return self._finish()

    def _progress(self, num_ended: int) -> None:
        self.logs.collecting(num_ended * self.accelerator.num_processes)

    def _collection_metrics(
        self, collection: Collection, trajectories: list[Trajectory]
    ) -> dict[str, Any]:
        scores = dataclasses.asdict(summarise(trajectories, self.config.turn_limit))
        for turn, rate in enumerate(scores.pop("solved_by_turn"), start=1):
            scores[f"solved_by_turn_{turn}"] = rate
        clock = self.engine.take_clock()
        ages = [self.iteration - 1 - t.weight_version for t in trajectories]
        num_programs = sum(len(trajectory.turns) for trajectory in trajectories)
        return {
            **scores,
            "generate_s": clock.generate_s,
            "judge_wait_s": clock.judge_wait_s,
            "env_s": clock.env_s,
            "programs_per_s": num_programs / (clock.generate_s + clock.judge_wait_s + clock.env_s),
            "num_sandbox_failures": clock.num_sandbox_failures,
            "num_generator_revivals": clock.num_revivals,
            "num_abandoned": collection.num_abandoned,
            "num_equal_groups": collection.num_equal_groups,
            "num_played": collection.num_played,
            "staleness": float(np.mean(ages)),
        }

    def _evaluate(self, metrics: dict[str, Any]) -> None:
        """Solve rate on the validation problems; keeps the best policy, writes transcripts."""
        if self.valid_engine is None:
            return
        self.logs.phase("evaluate")
        self.engine.pause()
        self.valid_engine.generator = self.engine.generator
        mine = play_all(self.valid_engine, self.valid_rollouts)
        self.engine.go_on()
        trajectories = self.learner.gather(_without_records(mine))
        scores = summarise(trajectories, self.config.turn_limit)
        metrics["valid_solve_rate"] = scores.solve_rate
        for turn, rate in enumerate(scores.solved_by_turn, start=1):
            metrics[f"valid_solved_by_turn_{turn}"] = rate
        metrics["valid_invalid_reply_rate"] = scores.invalid_reply_rate
        if self.is_main:
            name = f"iteration-{self.iteration:06d}.jsonl"
            write_transcripts(
                self.config.out / "transcripts" / name, mine, self.config.num_transcripts
            )
        best = {"solve_rate": scores.solve_rate, "iteration": self.iteration}
        is_best = [self.is_main and checkpoints.is_best(self.config.out, scores.solve_rate)]
        if self.accelerator.num_processes > 1:
            broadcast_object_list(is_best)
        if is_best[0]:
            self._write_policy("best", best)

    def _sync(self) -> float:
        """Give the generator the new weights and check that it has them."""
        self.generator = self.engine.generator
        self.generator.load_weights(self.networks.policy_tensors(), self.iteration)
        return verify_sync(
            self.generator,
            self._logprobs,
            self.probe_ids,
            SYNC_TOLERANCE[self.config.precision],
        )

    def _new_generator(self) -> TokenGenerator:
        generator = make_generator(self.config, self.chat, self.accelerator.device)
        vocabulary = self.networks.reference.model.config.get_text_config().vocab_size
        self.probe_ids = probe_sequence(vocabulary, PROBE_TOKENS)
        generator.load_weights(self.networks.policy_tensors(), self.iteration)
        return generator

    @torch.no_grad()
    def _logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Of each token but the first, by the trainer's policy."""
        turn = TurnTokens(
            prompt_ids=list(token_ids[:1]),
            reply_ids=list(token_ids[1:]),
            reply_logprobs=[],
            is_cut=False,
            weight_version=0,
        )
        batch = pack([Trajectory(problem_id="", seed=0, turns=[turn])])
        at_one = dataclasses.replace(self.config, temperature=1.0)
        logprobs, _, _ = self.learner.module(batch.to(self.accelerator.device), at_one)
        return [float(logprob) for logprob in logprobs]

    def _log(self, metrics: dict[str, Any]) -> None:
        entry = {"iteration": self.iteration, **metrics}
        if self.is_main:
            self.logs.iteration(entry)
            if self.observer is not None:
                self.observer(entry)

    def _save(self) -> None:
        """Write everything that a run needs to go on."""
        config, accelerator = self.config, self.accelerator
        state = {
            "iteration": self.iteration,
            "collector": self.collector.state(),
        }
        folder = config.out / "checkpoints" / "writing"
        with ExitStack() as stack:
            if self.is_main:
                folder = stack.enter_context(
                    checkpoints.new_checkpoint(config.out, self.iteration, config.keep_checkpoints)
                )
            if accelerator.num_processes > 1:
                (folder,) = broadcast_object_list([folder])
            accelerator.save_state(str(folder / "state"))
            name = f"process-{accelerator.process_index}.json"
            (folder / name).write_text(json.dumps(state), encoding="utf-8")
            accelerator.wait_for_everyone()

    def _load(self, checkpoint: Path) -> None:
        self.accelerator.load_state(str(checkpoint / "state"))
        name = f"process-{self.accelerator.process_index}.json"
        state = json.loads((checkpoint / name).read_text(encoding="utf-8"))
        self.iteration = state["iteration"]
        self.generator.load_weights(self.networks.policy_tensors(), self.iteration)
        self.collector.restore(state["collector"])
        if self.is_main:
            checkpoints.keep_metrics_until(self.config.out, self.iteration)

    def _write_policy(self, name: str, note: dict[str, Any] | None = None) -> None:
        """Write the policy to OUT/name; all processes take part, for weights may be sharded."""
        if not self.is_main:
            self.networks.save_policy(self.config.out / name, write=False)
        else:
            with checkpoints.replacing(self.config.out / name) as folder:
                self.networks.save_policy(folder)
                self.chat.tokenizer.save_pretrained(folder)
                if note is not None:
                    (folder / f"{name}.json").write_text(json.dumps(note) + "\n", "utf-8")
        self.accelerator.wait_for_everyone()

    def _finish(self) -> Path:
        self._write_policy("final")
        out = self.config.out
        return out / "best" if (out / "best").exists() else out / "final"


def _without_records(trajectories: list[Trajectory]) -> list[Trajectory]:
    """For sending to other processes: records hold whole outputs."""
    return [dataclasses.replace(trajectory, episode=None) for trajectory in trajectories]


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)

"""``python -m benchmarks.trl_batch``: a judged batch through TRL's hooks beside the vector env.

The same episodes, with the same replies, are played three ways in turn: by ``send`` and ``recv``
of the vector environment, each reply as soon as it is due; by ``GRPOTrainer`` with a
``rollout_func``; and by ``GRPOTrainer`` with an ``environment_factory``, whose model calls a tool.
Replies are there at once, so what is timed of the trainer is all that it does for a batch but
generating: templates, tokens, waiting for the judge, rewards and advantages. Each episode is a
wrong program, where there is one that ends soon, and a right one. Nothing is remembered from one
submission to the next.

It needs an interpreter with TRL; docs/adapters/trl.md says how to make one.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import gymnasium
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_chat_template

from benchmarks import record
from codefeedback_env import CodeFeedbackVectorEnv, Verdict, load_problems
from codefeedback_env.adapters.trl import (
    DialogueRollout,
    episode_reward,
    prompt_rows,
    submit_environment,
)
from codefeedback_env.judge.judge import Judge

EXPECTED = {"rollout_func": 1.3, "environment_factory": 1.3}
"""Their times over the vector environment's, at most; written down before the first measurement.

The tool's holds for few workers only: TRL has one call answered before it makes the next, so public
tests run one program at a time.
"""

ENV_ID = "CodeContests-v0"
GROUP = 2
SLOW = (Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT, Verdict.OUTPUT_LIMIT)
VOCABULARY = 4096
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


class Episodes:
    """Problems, what is replied turn after turn, and what came of it in the vector environment."""

    def __init__(self, num_episodes: int) -> None:
        """All bundled problems in turn, the episodes of a group on the same one."""
        problems = load_problems("bundled")
        by_id = {row["problem_id"]: row for row in prompt_rows(ENV_ID)}
        ids = list(by_id)
        self.rows = [by_id[ids[number // GROUP % len(ids)]] for number in range(num_episodes)]
        self.programs: list[list[str]] = []
        for number, row in enumerate(self.rows):
            problem_id = row["problem_id"]
            wrong = [
                program.submission.source_code
                for program in problems.wrong_programs(problem_id)
                if program.verdict not in SLOW
            ]
            right = problems.reference_programs(problem_id)[0].source_code
            first = [wrong[number % len(wrong)]] if wrong else []
            self.programs.append([*first, right])
        self.rewards: list[float] = []
        self.num_turns: list[int] = []
        texts = [program for programs in self.programs for program in programs]
        texts += [message["content"] for row in by_id.values() for message in row["prompt"]]
        self.tokenizer = tokenizer_for(texts)
        num_tokens = sum(map(len, self.tokenizer(texts)["input_ids"]))
        self.chars_per_token = round(sum(map(len, texts)) / num_tokens, 2)

    def play(self, vec: CodeFeedbackVectorEnv) -> None:
        """Play them in the vector environment."""
        vec.reset(options={"problem": [row["problem_id"] for row in self.rows]})
        rewards, turns = [0.0] * len(self.rows), [0] * len(self.rows)
        due = list(range(len(self.rows)))
        num_judging = 0
        while due or num_judging:
            vec.send([reply(self.programs[i][turns[i]]) for i in due], due)
            num_judging += len(due)
            _, gains, terminations, truncations, infos = vec.recv(1)
            num_judging -= len(gains)
            due = []
            for row, i in enumerate(map(int, infos["env_id"])):
                rewards[i] += float(gains[row])
                turns[i] += 1
                if truncations[row]:
                    raise RuntimeError(f"the sandbox failed: {infos['sandbox_error'][row]}")
                if not terminations[row]:
                    due.append(i)
        self.rewards, self.num_turns = rewards, turns


def reply(program: str) -> str:
    """A message with a program."""
    return f"```python\n{program}\n```"


def tool_call(program: str) -> str:
    """A message that hands in a program by calling the tool."""
    call = {"name": "submit", "arguments": {"code": program}}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


class Hook:
    """A trainer with one of the hooks and a model that replies at once."""

    def __init__(self, episodes: Episodes, say: Callable[[str], str], **hook: Any) -> None:
        """A trainer on CPU.

        Args:
            episodes: played in the vector environment already.
            say: from a program to a message.
            hook: arguments of the trainer.
        """
        self.episodes = episodes
        num_episodes = len(episodes.rows)
        with tempfile.TemporaryDirectory() as folder:
            self.trainer = GRPOTrainer(
                model=tiny_model(),
                processing_class=episodes.tokenizer,
                args=GRPOConfig(
                    output_dir=folder,
                    per_device_train_batch_size=num_episodes,
                    num_generations=GROUP,
                    max_completion_length=1 << 16,
                    report_to="none",
                    use_cpu=True,
                    bf16=False,
                ),
                train_dataset=Dataset.from_list(episodes.rows[:1]),
                **hook,
            )
        tokenizer = self.trainer.processing_class
        ends = [tokenizer.eos_token_id]
        self._replies = [
            [tokenizer.encode(say(program)) + ends for program in programs[:num_turns]]
            for programs, num_turns in zip(episodes.programs, episodes.num_turns, strict=True)
        ]
        if "environment_factory" in hook:  # TRL has the model answer to every result of a tool
            for replies in self._replies:
                replies.append(tokenizer.encode("Done.") + ends)
        self._turn = 0
        self.trainer._generate_single_turn = self._generate

    def play(self) -> None:
        """Let the trainer do everything for one batch.

        Raises:
            RuntimeError: rewards are not those of the vector environment.
        """
        self._turn = 0
        self.trainer._generate_and_score_completions([dict(row) for row in self.episodes.rows])
        (rewards,) = (list(column) for column in self.trainer._logs["rewards"].values())
        wrong = [
            i
            for i, pair in enumerate(zip(rewards, self.episodes.rewards, strict=True))
            if abs(pair[0] - pair[1]) > 1e-6
        ]
        if wrong:
            raise RuntimeError(f"episodes {wrong} have other rewards than in the vector env")

    def _generate(
        self, prompt_ids: list[list[int]], *_: Any, **__: Any
    ) -> tuple[list[list[int]], None]:
        """The next replies of the episodes that are not over, which keep their order."""
        turn = self._turn
        replies = [list(replies[turn]) for replies in self._replies if len(replies) > turn]
        if len(replies) != len(prompt_ids):
            raise RuntimeError(f"{len(prompt_ids)} replies are due, not {len(replies)}")
        self._turn += 1
        return replies, None


def tiny_model() -> LlamaForCausalLM:
    """A model for the trainer to hold; nothing is computed with it."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=1 << 17,
        )
    )


def tokenizer_for(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Tokens of bytes and their commonest sequences in ``texts``.

    Of what it was made for it makes about as few tokens as the tokenizer of a large model does,
    most of whose 150,000 are for other texts.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL_TOKENS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = qwen3_chat_template
    return fast


def measure(num_episodes: int, num_workers: int | None, rounds: int) -> dict[str, Any]:
    """Seconds of each way in each round, after one round to warm up, and the ratios."""
    episodes = Episodes(num_episodes)
    with closing(Judge(num_workers=num_workers, num_remembered=0)) as judge:
        vec = gymnasium.make_vec(
            ENV_ID, num_envs=num_episodes, sandbox=judge, autoreset_mode="Disabled"
        ).unwrapped
        assert isinstance(vec, CodeFeedbackVectorEnv)
        episodes.play(vec)
        rollout = DialogueRollout(ENV_ID, sandbox=judge)
        with_rollout = Hook(episodes, reply, rollout_func=rollout, reward_funcs=episode_reward)
        factory = submit_environment(ENV_ID, sandbox=judge)
        with_tool = Hook(episodes, tool_call, environment_factory=factory)
        ways: dict[str, Callable[[], None]] = {
            "vector": lambda: episodes.play(vec),
            "rollout_func": with_rollout.play,
            "environment_factory": with_tool.play,
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, play in ways.items():
                start = time.perf_counter()
                play()
                if number:
                    seconds[way].append(time.perf_counter() - start)
            if number:
                last = ", ".join(f"{way} {taken[-1]:.2f} s" for way, taken in seconds.items())
                record.say(f"round {number}: {last}")
        sandbox, workers = judge.info().sandbox, judge.settings.num_workers
    ratios = {
        way: [a / b for a, b in zip(taken, seconds["vector"], strict=True)]
        for way, taken in seconds.items()
    }
    medians = {way: statistics.median(column) for way, column in ratios.items()}
    return {
        "sandbox": sandbox,
        "num_workers": workers,
        "num_episodes": num_episodes,
        "num_submissions": sum(episodes.num_turns),
        "chars_per_token": episodes.chars_per_token,
        "seconds": seconds,
        "ratios": ratios,
        "median_ratios": medians,
        "expected": EXPECTED,
        "missed": [way for way, bound in EXPECTED.items() if medians[way] > bound],
    }


def print_table(result: dict[str, Any]) -> None:
    """The ways, one a row."""
    table = Table("way", "seconds", "over the vector env", "from", "to", "expected")
    for way, ratios in result["ratios"].items():
        table.add_row(
            way,
            f"{statistics.median(result['seconds'][way]):.2f}",
            f"{result['median_ratios'][way]:.2f}",
            f"{min(ratios):.2f}",
            f"{max(ratios):.2f}",
            f"at most {EXPECTED[way]}" if way in EXPECTED else "",
        )
    Console(stderr=True).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save; returns 1 where the expectation is missed."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trl_batch", description=__doc__)
    add = parser.add_argument
    add("--episodes", type=record.positive, default=256, help="default: %(default)s")
    add("--rounds", type=record.positive, default=5, help="default: %(default)s")
    add("--workers", type=record.positive, help="of the judge; default: one for each CPU")
    record.add_save_option(parser)
    options = parser.parse_args(arguments)
    if options.episodes % GROUP:
        parser.error(f"--episodes {options.episodes} is not a multiple of {GROUP}.")
    result = record.begin("trl_batch", arguments)
    for package in ("trl", "transformers", "torch"):
        result["versions"][package] = importlib.metadata.version(package)
    result.update(measure(options.episodes, options.workers, options.rounds))
    print_table(result)
    record.finish(result, folder=options.save)
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())

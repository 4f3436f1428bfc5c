"""From records of episodes to tokens to learn from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.sft import SFTConfig
from agents.supervised.repair import Dialogue, RepairDialogues
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import ConfigError, Episode, load_problems, read_episodes

if TYPE_CHECKING:
    from agents.chat import ChatFormat

Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Example:
    """A dialogue: what is given and what is learned, in turn, in few bytes."""

    problem_id: str
    turns: tuple[tuple[Tokens, Tokens], ...]

    @property
    def num_tokens(self) -> int:
        """Length of the whole sequence."""
        return sum(len(given) + len(learned) for given, learned in self.turns)

    @property
    def num_learned(self) -> int:
        """Tokens that the loss is of."""
        return sum(len(learned) for _, learned in self.turns)

    def trajectory(self) -> Trajectory:
        """The same for packing."""
        turns = [
            TurnTokens(
                prompt_ids=given.tolist(),
                reply_ids=learned.tolist(),
                reply_logprobs=[],
                is_cut=False,
                weight_version=0,
            )
            for given, learned in self.turns
        ]
        return Trajectory(problem_id=self.problem_id, seed=0, turns=turns)


@dataclass(frozen=True, slots=True)
class Examples:
    """What there is to learn, and how much was left out."""

    kept: list[Example]
    dropped: Counter[str]
    """Episodes left out, by reason."""

    @property
    def summary(self) -> str:
        """How many, in a sentence."""
        number = len(self.kept)
        left_out = [f"{count} {reason}" for reason, count in self.dropped.most_common()]
        total = number + self.dropped.total()
        return f"{number} examples of {total} episodes" + "".join(f"; {text}" for text in left_out)


def make_examples(config: SFTConfig, files: Sequence[Path], chat: "ChatFormat") -> Examples:
    """Everything that the files give.

    Raises:
        ConfigError: a file cannot be read, or nothing is left to learn from; says why.
        RecordError: a line is no record.
        DatasetError: with mode="repair" the dataset cannot be read.
    """
    if chat.thinks:
        raise ConfigError(
            f"chat={chat.name!r} expects thoughts, which records do not hold; give chat='qwen'."
        )
    dropped: Counter[str] = Counter()
    dialogues = _dialogues(config, _episodes(files), dropped)
    kept = []
    for problem_id, dialogue in dialogues:
        example = encode(dialogue, problem_id, chat, config)
        if example.num_tokens <= config.max_context_tokens:
            kept.append(example)
        else:
            dropped[f"are longer than max_context_tokens={config.max_context_tokens}"] += 1
    examples = Examples(kept, dropped)
    if not kept:
        wanted = "successful episodes"
        if config.mode == "repair":
            wanted = "first replies that failed public tests"
        raise ConfigError(
            f"nothing to learn from: {examples.summary}. Give files with {wanted}, shorter than "
            f"{config.max_context_tokens} tokens."
        )
    return examples


def encode(dialogue: Dialogue, problem_id: str, chat: "ChatFormat", config: SFTConfig) -> Example:
    """A dialogue in tokens, as the same replies would stand in an episode of the environment."""
    turns: list[tuple[list[int], list[int]]] = []
    for message, reply in dialogue:
        if turns:
            given = chat.feedback_ids(
                message, last_reply_ids=turns[-1][1], max_tokens=config.max_feedback_tokens
            )
        else:
            given = chat.prompt_ids(message, config.max_prompt_tokens)
        turns.append((given, chat.reply_ids(reply)))
    if not config.all_replies:
        *earlier, (given, learned) = turns
        before = [token for pair in earlier for ids in pair for token in ids]
        turns = [(before + given, learned)]
    return Example(
        problem_id,
        tuple((np.array(given, np.int32), np.array(said, np.int32)) for given, said in turns),
    )


def _episodes(files: Sequence[Path]) -> Iterator[Episode]:
    for file in files:
        try:
            yield from read_episodes(file)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}.") from error


def _dialogues(
    config: SFTConfig, episodes: Iterable[Episode], dropped: Counter[str]
) -> Iterator[tuple[str, Dialogue]]:
    if config.mode == "repair":
        problems = load_problems(config.dataset, path=config.path, split=config.split)
        repairs = RepairDialogues(problems, config.seed, dropped)
        for episode in episodes:
            if (dialogue := repairs.dialogue(episode)) is not None:
                yield episode.problem_id, dialogue
        return
    for episode in episodes:
        if not episode.private_passed:
            dropped["did not solve their problem"] += 1
            continue
        messages = (episode.prompt, *(turn.feedback for turn in episode.turns[:-1]))
        replies = (turn.reply for turn in episode.turns)
        yield episode.problem_id, tuple(zip(messages, replies, strict=True))

"""Replies again, with the logits of transformers in float32, to see how close a choice was."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from agents.generation.chat_dialogues import Dialogues
from agents.generation.model import ModelSettings, load_chat, load_tokens
from agents.generation.tokens import Sampling, TokenRequest
from benchmarks.backends.comparison import Replay
from codefeedback_env import Episode


class Replays:
    """The torch backend's greedy replies, turn by turn.

    Args:
        folder: of the model.
        settings: those of the run.
    """

    def __init__(self, folder: Path, settings: ModelSettings) -> None:
        """Load the model twice: as the backend and as transformers have it."""
        self._settings = settings
        self.chat = load_chat(str(folder), settings.chat)
        self._tokens = load_tokens(str(folder), settings, self.chat, 1)
        with ExitStack() as stack:
            stack.enter_context(closing(self._tokens))
            models: Any = AutoModelForCausalLM
            self._model = models.from_pretrained(folder, dtype=torch.float32).eval()
            stack.pop_all()
        self._dialogues = Dialogues(
            self._tokens,
            self.chat,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_feedback_tokens=settings.max_feedback_tokens,
            max_dialogues=1,
        )

    def replay(self, episode: Episode, turn: int) -> Replay:
        """The reply of a turn, from 1 on, of an episode that the torch backend has played."""
        messages = [{"role": "user", "content": episode.prompt}]
        for number in range(turn):
            dialogue = self._dialogues.find("replayed", messages)
            prompt_ids = list(dialogue.token_ids)
            room = self._settings.max_context_tokens - len(prompt_ids)
            longest = min(room, self._settings.max_reply_tokens)
            sampling = Sampling(temperature=0.0, max_new_tokens=longest)
            asked = TokenRequest(
                dialogue=dialogue.number, prompt_ids=prompt_ids, seed=0, sampling=sampling
            )
            self._tokens.add([asked])
            while not (ended := self._tokens.step()):
                pass
            reply_ids = ended[0].token_ids
            text = self.chat.reply_text(reply_ids)
            dialogue.add_reply(reply_ids, text)
            messages.append({"role": "assistant", "content": text})
            messages.append({"role": "user", "content": episode.turns[number].feedback})
        gaps = self._gaps(prompt_ids, reply_ids)
        return Replay(text=text, token_ids=reply_ids, gaps=gaps)

    def served_text(self, reply_ids: Sequence[int]) -> str:
        """A reply as servers decode it: without control tokens, which a random model writes too."""
        tokenizer = self.chat.tokenizer
        return str(
            tokenizer.decode(
                list(reply_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def close(self) -> None:
        """Release the model."""
        self._tokens.close()

    def _gaps(self, prompt_ids: list[int], reply_ids: list[int]) -> list[float]:
        with torch.no_grad():
            logits = self._model(torch.tensor([prompt_ids + reply_ids])).logits[0].float()
        best = logits[len(prompt_ids) - 1 : -1].topk(2, dim=-1).values
        gaps: list[float] = (best[:, 0] - best[:, 1]).tolist()
        return gaps

"""A generator and a chat format without a model: replies come from a function of the dialogue."""

from collections.abc import Callable, Iterable, Sequence

from agents.generation.tokens import GeneratorError, TokenReply, TokenRequest


class CharacterChat:
    """Every character is its code point; messages end in 0."""

    name = "characters"
    stop_ids = (0,)

    def prompt_ids(self, text: str, max_tokens: int) -> list[int]:
        return [*map(ord, text[-max_tokens:]), 0]

    def feedback_ids(
        self, text: str, *, last_reply_ids: Sequence[int], max_tokens: int
    ) -> list[int]:
        closing = [] if last_reply_ids[-1] == 0 else [0]
        return [*closing, *map(ord, text[:max_tokens]), 0]

    def reply_text(self, reply_ids: Sequence[int]) -> str:
        return "".join(chr(token) for token in reply_ids if token)


class ScriptedTokens:
    """Replies with ``answer(prompt text, seed)``, ``tokens_per_step`` characters at a time."""

    max_context = 1_000_000

    def __init__(
        self,
        answer: Callable[[str, int], str],
        tokens_per_step: int = 1_000_000,
        break_at_step: int | None = None,
    ) -> None:
        self.answer = answer
        self.weight_version = 0
        self.requests: list[TokenRequest] = []
        self.num_steps = 0
        self._left: dict[int, tuple[int, TokenReply]] = {}
        self._tokens_per_step = tokens_per_step
        self._break_at_step = break_at_step

    def add(self, requests: Iterable[TokenRequest]) -> None:
        for request in requests:
            self.requests.append(request)
            prompt = "".join(chr(token) for token in request.prompt_ids)
            tokens = [ord(character) for character in self.answer(prompt, request.seed)] + [0]
            limit = request.sampling.max_new_tokens
            reply = TokenReply(
                dialogue=request.dialogue,
                token_ids=tokens[:limit],
                logprobs=[-1.0] * len(tokens[:limit]),
                is_cut=len(tokens) > limit,
                weight_version=self.weight_version,
            )
            self._left[request.dialogue] = (len(reply.token_ids), reply)

    def step(self) -> list[TokenReply]:
        self.num_steps += 1
        if self.num_steps == self._break_at_step:
            raise GeneratorError("broken")
        done = []
        for dialogue, (left, reply) in list(self._left.items()):
            if left <= self._tokens_per_step:
                done.append(reply)
                del self._left[dialogue]
            else:
                self._left[dialogue] = (left - self._tokens_per_step, reply)
        return done

    @property
    def num_unfinished(self) -> int:
        return len(self._left)

    def forget(self, dialogues: Iterable[int]) -> None:
        for dialogue in list(dialogues):
            self._left.pop(dialogue, None)

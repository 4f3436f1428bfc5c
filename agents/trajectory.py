"""An episode in tokens: exactly the ids that were sampled, over all turns."""

from dataclasses import dataclass, field

from codefeedback_env import Episode


@dataclass(slots=True, kw_only=True)
class TurnTokens:
    """One turn: what the model was given since its last reply, and its reply."""

    prompt_ids: list[int]
    """First the whole prompt; later the end of the last reply, the feedback, the header of the
    reply. Never trained on."""

    reply_ids: list[int]
    """As sampled, with the token that ended the reply if there was one; at least one token."""

    reply_logprobs: list[float]
    """Of the distribution that each token was drawn from, at the generator; as long as
    ``reply_ids``."""

    is_cut: bool
    """The reply was ended by a limit on its length, not by the model."""

    weight_version: int
    """Of the weights that the reply began with: iterations of training behind them."""

    reward: float = 0.0
    """The environment's."""

    is_valid: bool = True
    """The reply had a program that compiles."""

    public_fraction: float = 0.0
    """Share of the public tests that passed, in [0, 1]; 0 where none ran."""


@dataclass(slots=True, kw_only=True)
class Trajectory:
    """A finished episode. Its sequence is each turn's prompt and reply, one after the other."""

    problem_id: str
    seed: int
    turns: list[TurnTokens] = field(default_factory=list)
    private_passed: bool = False
    """The last program passed all tests of all pools."""

    ended_by_limit: bool = False
    """The episode ended because the next prompt would not have fitted into the context."""

    group: int = 0
    """Trajectories of one group began with the same problem; baselines compare within it."""

    episode: Episode | None = None
    """The environment's record, for transcripts."""

    @property
    def token_ids(self) -> list[int]:
        """The whole sequence, shape (tokens,)."""
        return [token for turn in self.turns for token in (*turn.prompt_ids, *turn.reply_ids)]

    @property
    def turn_of_token(self) -> list[int]:
        """For each token the turn whose reply it is part of, -1 for prompts; shape (tokens,)."""
        return [
            of
            for number, turn in enumerate(self.turns)
            for of in [-1] * len(turn.prompt_ids) + [number] * len(turn.reply_ids)
        ]

    @property
    def value_positions(self) -> list[int]:
        """For each turn the position of the last token of its prompt, shape (turns,)."""
        positions, end = [], 0
        for turn in self.turns:
            end += len(turn.prompt_ids)
            positions.append(end - 1)
            end += len(turn.reply_ids)
        return positions

    @property
    def behaviour_logprobs(self) -> list[float]:
        """Of all reply tokens of all turns, in order; shape (actions,)."""
        return [logprob for turn in self.turns for logprob in turn.reply_logprobs]

    @property
    def num_tokens(self) -> int:
        """Length of the whole sequence."""
        return sum(len(turn.prompt_ids) + len(turn.reply_ids) for turn in self.turns)

    @property
    def num_reply_tokens(self) -> int:
        """How many tokens were sampled."""
        return sum(len(turn.reply_ids) for turn in self.turns)

    @property
    def rewards(self) -> list[float]:
        """Of each turn, shape (turns,)."""
        return [turn.reward for turn in self.turns]

    @property
    def weight_version(self) -> int:
        """The oldest weights that took part."""
        return min(turn.weight_version for turn in self.turns)

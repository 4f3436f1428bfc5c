"""What goes over the wire."""

from typing import Any

from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field


class CodeAction(Action):
    """A reply of the model."""

    reply: str = Field(description="The model's whole reply; its program is in triple backticks.")


class CodeObservation(Observation):
    """What a reset or step returned; ``reward`` and ``done`` are OpenEnv's own fields.

    ``reward`` is None after a reset, and where the sandbox failed: that is no reward.
    """

    text: str = Field(description='The newest message to the model; "" after the end.')
    truncated: bool = Field(
        default=False, description="The sandbox failed: the episode is to be dropped."
    )
    info: dict[str, Any] = Field(default_factory=dict, description="The environment's info.")


class CodeState(State):
    """Where a session is; ``episode_id`` and ``step_count`` are OpenEnv's own fields."""

    problem_id: str | None = Field(default=None, description="None before the first reset.")
    split: str | None = Field(default=None, description="Of the dataset.")
    turn_limit: int | None = Field(default=None, description="Replies at most.")

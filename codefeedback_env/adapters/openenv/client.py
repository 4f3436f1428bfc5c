"""The client of the server."""

from typing import Any

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient

from codefeedback_env.adapters.openenv.models import CodeAction, CodeObservation, CodeState

MESSAGE_TIMEOUT_S = 600.0  # OpenEnv's minute is less than many slow tests may take


class CodeClient(EnvClient[CodeAction, CodeObservation, CodeState]):
    """A session with the server: async, or blocking through ``.sync()``.

    ``reset`` takes ``seed``, ``episode_id``, ``split`` and ``index`` of a task, or ``problem``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        message_timeout_s: float = MESSAGE_TIMEOUT_S,
        **options: Any,
    ) -> None:
        """Nothing is sent yet; ``options`` are those of OpenEnv's ``EnvClient``."""
        super().__init__(base_url, message_timeout_s=message_timeout_s, **options)

    def _step_payload(self, action: CodeAction) -> dict[str, Any]:
        return {"reply": action.reply}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[CodeObservation]:
        reward, done = payload.get("reward"), bool(payload.get("done"))
        observation = CodeObservation(**payload["observation"], reward=reward, done=done)
        return StepResult(observation=observation, reward=reward, done=done)

    def _parse_state(self, payload: dict[str, Any]) -> CodeState:
        return CodeState(**payload)

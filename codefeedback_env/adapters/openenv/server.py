"""The server's application."""

from functools import partial
from typing import Any

from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.types import ConcurrencyConfig

from codefeedback_env.adapters.environments import EnvironmentPool
from codefeedback_env.adapters.openenv.environment import CodeEnvironment
from codefeedback_env.adapters.openenv.models import CodeAction, CodeObservation, CodeState

MAX_SESSIONS = 64
SESSION_TIMEOUT_S = 3600.0  # longer than a model thinks and a judge works in one turn


def make_app(
    env_id: str = "CodeContests-v0",
    *,
    max_sessions: int = MAX_SESSIONS,
    session_timeout_s: float = SESSION_TIMEOUT_S,
    **options: Any,
) -> Any:
    """A FastAPI application that serves an environment to many sessions at once.

    With ``ENABLE_WEB_INTERFACE=true`` in the process's environment it has a page for people, /web.

    Args:
        env_id: what ``gymnasium.make`` calls the environment.
        max_sessions: at once; a client beyond it is refused.
        session_timeout_s: a session without a message for so long is closed, so that clients which
            vanished keep no place.
        options: those of ``gymnasium.make``, of the server alone: no client can change them.

    Raises:
        ConfigError: an option cannot work.
        DatasetError: the data is missing or cannot be read.
    """
    pool = EnvironmentPool(env_id, **options, render_mode="ansi")
    pool.give_back(pool.take())  # the first session shall not find that an option is wrong
    return create_app(
        partial(CodeEnvironment, pool),
        CodeAction,
        CodeObservation,
        env_name="codefeedback",
        concurrency_config=ConcurrencyConfig(
            max_concurrent_envs=max_sessions, session_timeout=session_timeout_s
        ),
        state_cls=CodeState,
    )

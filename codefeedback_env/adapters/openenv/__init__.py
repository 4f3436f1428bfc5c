"""The environment as an OpenEnv server, and the typed client for it.

The server, on any machine that can judge::

    uvicorn codefeedback_env.adapters.openenv.app:app --port 8000

The client, anywhere::

    from codefeedback_env.adapters.openenv import CodeAction, CodeClient
    with CodeClient("http://127.0.0.1:8000").sync() as client:
        result = client.reset(seed=0)
        result = client.step(CodeAction(reply="..."))
"""

from codefeedback_env import ConfigError

try:
    import openenv.core  # noqa: F401 - to say what to install before anything else fails
except ImportError as error:
    raise ConfigError(
        f"the OpenEnv adapter needs the library openenv, which cannot be imported ({error}); "
        "install it with: pip install 'codefeedback-env[openenv]'"
    ) from error

from codefeedback_env.adapters.openenv.client import CodeClient
from codefeedback_env.adapters.openenv.environment import CodeEnvironment
from codefeedback_env.adapters.openenv.models import CodeAction, CodeObservation, CodeState
from codefeedback_env.adapters.openenv.server import make_app

__all__ = [
    "CodeAction",
    "CodeClient",
    "CodeEnvironment",
    "CodeObservation",
    "CodeState",
    "make_app",
]

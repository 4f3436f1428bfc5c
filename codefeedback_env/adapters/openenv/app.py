"""The application that ``uvicorn`` and ``openenv.yaml`` name.

The variable ``CODEFEEDBACK_OPENENV`` holds the arguments of ``make_app``, as a JSON object.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from codefeedback_env import ConfigError
from codefeedback_env.adapters.openenv.server import make_app

VARIABLE = "CODEFEEDBACK_OPENENV"


def arguments(environ: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``make_app`` that the variable holds.

    Raises:
        ConfigError: it is no JSON object.
    """
    text = environ.get(VARIABLE, "{}")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}={text!r} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigError(f'{VARIABLE}={text!r} must be an object, as {{"split": "train"}}.')
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


app = make_app(**arguments(os.environ))

"""Libraries that only some datasets need, imported when they are needed."""

import importlib
from typing import Any

from codefeedback_env.errors import ConfigError


def optional_import(module: str, purpose: str) -> Any:
    """The module, or an error that says what to install.

    Args:
        module: dotted name, such as ``pyarrow.parquet``.
        purpose: what it is needed for, as the subject of the error's first sentence.

    Raises:
        ConfigError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise ConfigError(
            f"{purpose} needs the library {library!r}, which cannot be imported ({error}); "
            "install it with: pip install 'codefeedback-env[data]'"
        ) from error

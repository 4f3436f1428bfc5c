"""Which Python runs the programs, and what of the file system it needs."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from codefeedback_env.errors import SandboxUnavailableError

SYSTEM_PYTHON = "/usr/bin/python3"
BASE_DIRECTORIES = ("/usr", "/lib", "/lib64", "/etc/alternatives")
SITE = "/site"
"""Where packages for programs appear inside a jail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that a jail can reach."""

    path: str
    version: str
    binds: tuple[tuple[str, str], ...]
    """(host path, path in the jail), all read-only."""

    numpy_version: str | None
    """None where programs cannot import numpy."""

    note: str = ""
    """Why not the interpreter, or the numpy, one would expect."""

    site: str = ""
    """Folder with packages for programs where there is no jail to bind one into."""


def find_interpreter(python: str | None, outside_uid: int) -> Interpreter:
    """The interpreter for programs in a jail whose files are read as ``outside_uid``.

    Args:
        python: path of the interpreter; None takes this environment's base interpreter where the
            jail can reach it, else the system's.
        outside_uid: the user id that opens files on the host.

    Raises:
        SandboxUnavailableError: no interpreter can be reached; the message says which were tried.
    """
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    candidates = [python] if python else [base, SYSTEM_PYTHON]
    refused: list[str] = []
    for candidate in candidates:
        reason = _why_unreachable(candidate, outside_uid)
        if reason is None:
            return _describe(candidate, outside_uid, "; ".join(refused))
        refused.append(reason)
    raise SandboxUnavailableError(
        f"no Python that a jail can reach: {'; '.join(refused)}. Install the system's python3, or "
        "give python= a path that other users may read and traverse."
    )


def _describe(path: str, outside_uid: int, note: str) -> Interpreter:
    probe = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.base_prefix)"
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", probe], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailableError(
            f"python={path!r} does not run ({error}); give the path of a Python 3 interpreter."
        ) from error
    version, prefix = done.stdout.split("\n")[:2]
    binds = [(directory, directory) for directory in BASE_DIRECTORIES if os.path.exists(directory)]
    if not _is_below_any(os.path.realpath(path), BASE_DIRECTORIES):
        binds.append((prefix, prefix))
    numpy_binds, numpy_version, numpy_note = _numpy(version, outside_uid)
    notes = [part for part in (note, numpy_note) if part]
    return Interpreter(
        path=path,
        version=version,
        binds=(*binds, *numpy_binds),
        numpy_version=numpy_version,
        note="; ".join(notes),
        site=str(Path(numpy_binds[0][0]).parent) if numpy_binds else "",
    )


def _numpy(version: str, outside_uid: int) -> tuple[list[tuple[str, str]], str | None, str]:
    """This environment's numpy, bound read-only, where it fits the interpreter."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.submodule_search_locations:
        return [], None, "numpy is not installed here"
    folder = Path(next(iter(spec.submodule_search_locations)))
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not version.startswith(ours + "."):
        return [], None, f"numpy here is built for Python {ours}, programs run on {version}"
    if reason := _why_unreachable(str(folder / "__init__.py"), outside_uid):
        return [], None, f"numpy: {reason}"
    from importlib.metadata import version as installed_version

    binds = [(str(folder), f"{SITE}/numpy")]
    libraries = folder.parent / "numpy.libs"
    if libraries.is_dir():
        binds.append((str(libraries), f"{SITE}/numpy.libs"))
    return binds, installed_version("numpy"), ""


def _why_unreachable(path: str, uid: int) -> str | None:
    """None where ``uid`` can read ``path``, else the reason."""
    real = os.path.realpath(path)
    if not os.path.exists(real):
        return f"{path} does not exist"
    if uid == os.getuid():
        return None if os.access(real, os.R_OK) else f"{path} is not readable"
    for part in (real, *map(str, Path(real).parents)):
        mode = os.stat(part).st_mode
        needed = 0o004 if part == real else 0o001
        if not mode & needed:
            return f"{path} is closed to other users at {part}"
    return None


def _is_below_any(path: str, directories: tuple[str, ...]) -> bool:
    return any(path.startswith(directory + "/") for directory in directories)

"""Adapters where their library is not installed."""

import subprocess
import sys

import pytest

ADAPTERS = {  # module: (what it imports, name of the extra)
    "gem": ("gem", "gem"),
    "skyrl": ("skyrl_gym", "skyrl"),
    "openenv": ("openenv", "openenv"),
    "verifiers": ("verifiers", "verifiers"),
    "verifiers_legacy": ("verifiers", "verifiers-legacy"),
    "ray": ("ray", "ray"),
}


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_error_names_the_extra_to_install(adapter: str):
    library, extra = ADAPTERS[adapter]
    said = run(
        f"import sys; sys.modules[{library!r}] = None\n"
        "from codefeedback_env import ConfigError\n"
        f"try: import codefeedback_env.adapters.{adapter}\n"
        "except ConfigError as error: print(error)\n"
    )
    assert f"pip install 'codefeedback-env[{extra}]'" in said


def test_the_package_imports_none_of_the_libraries():
    libraries = {library for library, _ in ADAPTERS.values()}
    script = "import sys, codefeedback_env, codefeedback_env.adapters\nprint(*sys.modules)"
    assert not libraries & set(run(script).split())

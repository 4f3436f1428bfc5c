"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import codefeedback_env

ROOT = Path(codefeedback_env.__file__).parent
CHECKOUT = ROOT.parent
BASE = {"errors", "problem", "languages", "spaces", "lookup", "order", "problem_checkers"}
VALUES = BASE | {"verdicts", "episode"}

ALLOWED = {
    "errors": set(),
    "problem": {"errors"},
    "languages": set(),
    "spaces": set(),
    "order": set(),
    "problem_checkers": {"problem_checkers"},
    "lookup": {"errors"},
    "verdicts": {"problem"},
    "episode": {"verdicts", "problem", "languages", "errors"},
    "parsing": {"languages", "problem"},
    "checkers": {"problem", "problem_checkers", "lookup", "errors"},
    "feedback": {"verdicts", "problem"},
    "rewards": {"verdicts", "problem"},
    "sandbox": {"sandbox", "errors", "lookup"},
    "judge": {"judge", "sandbox", "checkers"} | VALUES,
    "datasets": {"datasets", "verdicts", "problem", "languages", "errors", "lookup"}
    | {"problem_checkers"},
    "dialogue": {"judge", "datasets", "checkers", "parsing", "feedback", "rewards"} | VALUES,
    "data_quality": {"data_quality", "judge", "datasets", "checkers"} | VALUES,
    "env": {"dialogue", "judge"} | VALUES,
    "vector": {"env", "dialogue", "judge"} | VALUES,
    "wrappers": {"env", "spaces"},
    "viewer": {"viewer", "episode", "errors"},
}
ABOVE = {"make", "cli", "commands", "adapters", "__init__", "__main__"}  # may import everything
FORBIDDEN_EVERYWHERE = {"torch", "transformers", "tokenizers", "vllm", "tests", "benchmarks"}
JAILED = "sandbox/zygote"


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


@pytest.mark.parametrize("path", modules(ROOT), ids=lambda p: str(p.relative_to(ROOT)))
def test_environment_module_imports_along_the_arrows_only(path):
    relative = path.relative_to(ROOT)
    home = relative.parts[0].removesuffix(".py")
    if home in ABOVE:
        return
    used = {
        name.split(".")[1]
        for name in imports(path)
        if name.startswith("codefeedback_env.") and name.count(".") >= 1
    }
    assert used <= ALLOWED[home], f"{relative} imports {sorted(used - ALLOWED[home])}"


@pytest.mark.parametrize("path", modules(ROOT), ids=lambda p: str(p.relative_to(ROOT)))
def test_environment_never_imports_torch_or_what_is_above_it(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & (FORBIDDEN_EVERYWHERE | {"agents"})


@pytest.mark.parametrize("path", modules(ROOT / "sandbox" / "zygote"), ids=lambda p: p.name)
def test_code_in_the_jail_uses_the_standard_library_only(path):
    for name in imports(path):
        root = name.split(".")[0]
        in_jail = name.startswith("codefeedback_env.sandbox.zygote")
        assert in_jail or root in sys.stdlib_module_names, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules(CHECKOUT / "agents"), ids=lambda p: p.name)
def test_agents_use_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("codefeedback_env"):
            assert node.module == "codefeedback_env", f"{path.name} imports {node.module}"
            for alias in node.names:
                assert alias.name in codefeedback_env.__all__, alias.name
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("codefeedback_env."), alias.name


def test_public_names_exist_and_are_sorted():
    assert all(hasattr(codefeedback_env, name) for name in codefeedback_env.__all__)
    assert len(set(codefeedback_env.__all__)) == len(codefeedback_env.__all__)


def test_importing_works_without_torch_in_half_a_second_and_starts_nothing():
    script = (
        "import sys, time, threading\n"
        "for name in ('torch', 'transformers', 'tokenizers', 'vllm', 'datasets', 'pyarrow'):\n"
        "    sys.modules[name] = None\n"
        "start = time.process_time()\n"
        "import codefeedback_env, gymnasium\n"
        "spent = time.process_time() - start\n"
        "assert 'CodeContests-v0' in gymnasium.registry\n"
        "assert threading.active_count() == 1\n"
        "import logging; assert not logging.getLogger().handlers\n"
        "print(spent)\n"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        spent.append(float(done.stdout))
    assert min(spent) < 0.5

"""What is released: wheel and source distribution hold what they should, and install anywhere."""

import email.message
import email.parser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("setuptools")

import codefeedback_env

CHECKOUT = Path(codefeedback_env.__file__).parents[1]
PACKAGE = CHECKOUT / "codefeedback_env"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
STEM = f"codefeedback_env-{codefeedback_env.__version__}"
NOT_OF_THE_PROJECT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "site"
)
PYTHONS = ["3.11", "3.12", "3.13"]


@dataclass(frozen=True)
class Release:
    """The two files, and the wheel that the source distribution gives."""

    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Built from a copy: nothing that lies about in the checkout gets in, and nothing is left."""
    root = tmp_path_factory.mktemp("release")
    copy = root / "checkout"
    shutil.copytree(CHECKOUT, copy, ignore=NOT_OF_THE_PROJECT)
    build("--sdist", "--outdir", root / "sdist", copy)
    (sdist,) = (root / "sdist").iterdir()
    with tarfile.open(sdist) as archive:
        archive.extractall(root / "unpacked", filter="data")
    build("--wheel", "--outdir", root / "wheel", copy)
    build("--wheel", "--outdir", root / "again", root / "unpacked" / STEM)
    (wheel,) = (root / "wheel").iterdir()
    (again,) = (root / "again").iterdir()
    return Release(wheel, sdist, again)


def build(*arguments):
    """Build with the setuptools that is installed here, offline."""
    command = [sys.executable, "-m", "build", "--no-isolation", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def files_of_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return sorted(name for name in archive.namelist() if not name.endswith("/"))


def files_of_sdist(path: Path) -> set[str]:
    """Without the folder all of it is in."""
    with tarfile.open(path) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    assert all(name.startswith(STEM + "/") for name in names)
    return {name.removeprefix(STEM + "/") for name in names}


def metadata_of(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{STEM}.dist-info/METADATA").decode()
    return email.parser.Parser().parsestr(text)


def source_files(folder: Path) -> set[str]:
    """The files below a folder of the checkout, but for what running Python leaves."""
    return {
        str(path.relative_to(CHECKOUT))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_whole_and_nothing_else(release):
    files = set(files_of_wheel(release.wheel))
    described = {name for name in files if name.startswith(f"{STEM}.dist-info/")}
    assert files - described == source_files(PACKAGE)
    assert {Path(name).name for name in described} == {
        *("METADATA", "RECORD", "WHEEL", "LICENSE", "entry_points.txt", "top_level.txt"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "datasets/bundled/problems.jsonl.gz",
        "datasets/checker_overlay.toml",
        "datasets/exclusions/code_contests.toml",
        "viewer/static/page.html",
        "adapters/openenv/openenv.yaml",
    ],
)
def test_the_wheel_holds_data_that_the_package_reads(release, name):
    assert (PACKAGE / name).is_file()
    assert f"codefeedback_env/{name}" in files_of_wheel(release.wheel)


def test_the_wheel_is_for_every_platform_and_python_3(release):
    assert release.wheel.name == f"{STEM}-py3-none-any.whl"


def test_the_source_distribution_gives_the_same_wheel(release):
    assert files_of_wheel(release.wheel_of_sdist) == files_of_wheel(release.wheel)


@pytest.mark.parametrize("folder", ["codefeedback_env", "agents", "tests", "examples", "docs"])
def test_the_source_distribution_holds_every_file_of_a_folder(release, folder):
    assert source_files(CHECKOUT / folder) <= files_of_sdist(release.sdist)


def test_the_source_distribution_holds_what_making_and_testing_needs(release):
    files = files_of_sdist(release.sdist)
    assert files >= {
        *("LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"),
        *("constraints.txt", "mkdocs.yml", "Dockerfile", "MANIFEST.in"),
    }
    assert {name.partition("/")[0] for name in files if "/" in name} == {
        *("codefeedback_env", "codefeedback_env.egg-info"),
        *("agents", "benchmarks", "docs", "examples", "tests"),
    }
    assert not [name for name in files if name.endswith((".pyc", ".pyo"))]


def test_the_metadata_is_that_of_the_project(release):
    metadata = metadata_of(release.wheel)
    assert metadata["Name"] == "codefeedback-env"
    assert metadata["Version"] == codefeedback_env.__version__ == PROJECT["version"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert metadata.get_payload().startswith("# codefeedback\n")
    assert metadata.get_all("Project-URL") is None  # there is no public address yet


def test_the_version_is_a_semantic_one():
    assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}((a|b|rc)\d+)?", PROJECT["version"])


def test_every_classifier_exists_and_the_pythons_are_those_that_are_tested():
    trove_classifiers = pytest.importorskip("trove_classifiers")
    classifiers = PROJECT["classifiers"]
    assert set(classifiers) <= trove_classifiers.classifiers
    assert not set(classifiers) & set(trove_classifiers.deprecated_classifiers)
    # Beside a licence expression, PEP 639 forbids classifiers of licences.
    assert not [text for text in classifiers if text.startswith("License ::")]
    pythons = re.findall(
        r"^Programming Language :: Python :: (3\.\d+)$", "\n".join(classifiers), re.M
    )
    assert pythons == PYTHONS


def test_plain_requirements_are_small_libraries_only(release):
    plain = [
        re.match(r"[\w-]+", requirement)[0]
        for requirement in metadata_of(release.wheel).get_all("Requires-Dist")
        if "extra ==" not in requirement
    ]
    assert sorted(plain) == ["cloudpickle", "gymnasium", "numpy", "rich"]


def python_of(version: str) -> str:
    """An interpreter of this version, without those that are only named and do not start."""
    for name in (sys.executable, f"python{version}", *pyenv_pythons(version)):
        path = shutil.which(name)
        if path is None:
            continue
        command = [path, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.stdout.strip() == version:
            return path
    pytest.skip(f"Python {version} is not on this machine")


def pyenv_pythons(version: str) -> list[str]:
    """Interpreters that pyenv keeps off PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python"))]


@pytest.fixture(params=PYTHONS)
def bare_python(request, tmp_path):
    """The interpreter of a new environment with nothing in it."""
    folder = tmp_path / "bare"
    python = python_of(request.param)
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    return folder / "bin" / "python"


def install(python: Path, *what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *what]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


def run_outside(python: Path, folder: Path, *arguments: str) -> str:
    """Run in a folder from which the checkout cannot be imported."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def readme_loop() -> str:
    """The README's first program, and a line that says where the package lies."""
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    match = re.search(r"## The loop\n\n```python\n(.*?\n)```\n", readme, re.DOTALL)
    assert match is not None
    return match[1] + "print(codefeedback_env.__file__)\n"


def test_the_wheel_installs_and_compiles_on_every_python(release, bare_python, tmp_path):
    done = install(bare_python, "--no-deps", "--no-index", str(release.wheel))
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("bare/lib/python3.*/site-packages/codefeedback_env")
    run_outside(bare_python, tmp_path, "-W", "error", "-m", "compileall", "-q", "-f", str(package))
    assert (tmp_path / "bare/bin/codefeedback").is_file()


@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")
def test_the_loop_of_the_readme_runs_from_the_wheel_outside_the_checkout(release, tmp_path):
    base = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True
    )
    python = tmp_path / "bare/bin/python"
    done = install(python, "--no-deps", "--no-index", str(release.wheel))
    assert done.returncode == 0, done.stderr
    # Requirements come from here, so that this works offline. A path file inside a path file is not
    # read, so the checkout, if it is installed here as editable, stays out.
    site_packages = tmp_path / f"bare/lib/python{base}/site-packages"
    here = Path(pytest.__file__).parents[1]
    (site_packages / "requirements.pth").write_text(f"{here}\n")
    printed = run_outside(python, tmp_path, "-c", readme_loop())
    assert str(site_packages) in printed.splitlines()[-1]
    assert " -1.0 False" in printed


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.sandbox
@pytest.mark.usefixtures("judge")
def test_the_loop_of_the_readme_runs_on_every_python(release, bare_python, tmp_path):
    done = install(bare_python, str(release.wheel))
    assert done.returncode == 0, done.stderr
    printed = run_outside(bare_python, tmp_path, "-c", readme_loop())
    assert str(tmp_path / "bare") in printed.splitlines()[-1]
    assert " -1.0 False" in printed
    assert "works" in run_outside(tmp_path / "bare/bin/codefeedback", tmp_path, "doctor")

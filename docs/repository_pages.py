"""A hook of MkDocs: files outside ``docs/`` that a page links to become pages of the site.

On a code host ``../CHANGELOG.md`` opens the file. The site has no such file, so it gets one:
Markdown as a page, code as a page that shows it, a folder as a list of its files. Links are
rewritten.
"""

import os.path
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDER = "repository"
LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
COMMENT = re.compile(r"^(<!--.*-->)\n(?=\S)", re.MULTILINE)
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"

_made: dict[str, Path] = {}
"""Address of each page made here -> the file or folder it shows."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside docs/ that is linked to, also from such pages."""
    waiting = [ROOT / name for name in config.extra["repository_pages"]]
    for file in files.documentation_pages():
        waiting += linked_outside(DOCS / file.src_uri, file.content_string)
    while waiting:
        path = waiting.pop()
        if files.get_file_from_path(address(path)) is None:
            files.append(File.generated(config, address(path), content=page_of(path)))
            _made[address(path)] = path
            if path.suffix == ".md":
                waiting += linked_outside(path, path.read_text("utf-8"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to the pages made here."""
    home = page.file.src_uri
    source = _made.get(home, DOCS / home)
    if source.suffix != ".md":
        return markdown  # the page of a folder, or of a file of code

    def rewritten(match: re.Match[str]) -> str:
        path = resolved(source, match["target"])
        if path is None:
            return match[0]
        goal = address(path)
        relative = os.path.relpath(goal, os.path.dirname(home) or ".")
        return relative + (match["anchor"] or "")

    return COMMENT.sub(r"\1\n\n", LINK.sub(rewritten, markdown))


def linked_outside(source: Path, markdown: str) -> Iterator[Path]:
    """What a page links to in this repository and outside docs/."""
    for match in LINK.finditer(markdown):
        path = resolved(source, match["target"])
        if path is not None and not path.is_relative_to(DOCS):
            yield path


def resolved(source: Path, target: str) -> Path | None:
    """The file or folder of the repository that a relative link leads to, if there is one."""
    path = Path(os.path.normpath(source.parent / target))
    return path if path.is_relative_to(ROOT) and path.exists() else None


def address(path: Path) -> str:
    """Where a file of the repository is in the site, as MkDocs names sources."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        return f"{FOLDER}/{name}/files.md"
    if path.name == "README.md":  # MkDocs would make it the page of the section it stands in
        folder = Path(name).parent.as_posix()
        return f"{FOLDER}/{'readme' if folder == '.' else folder}.md"
    return f"{FOLDER}/{name}" if path.suffix == ".md" else f"{FOLDER}/{name}.md"


def page_of(path: Path) -> str:
    """The Markdown of the page for a file or folder outside docs/."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        listed = "\n".join(f"- `{file.name}`" for file in sorted(path.iterdir()))
        return f"{NOT_SEARCHED}# {name}\n\n{listed}\n"
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    language = {".py": "python", ".toml": "toml", ".json": "json"}.get(path.suffix, "text")
    return f"{NOT_SEARCHED}# {name}\n\n`````{language}\n{text}`````\n"

"""The programs on the adapters' pages run as they stand there."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import codefeedback_env

FOLDER = Path(codefeedback_env.__file__).parents[1] / "docs" / "adapters"
BLOCK = re.compile(r"^(<!-- not run -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_page(name: str, replaced: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a page's Python blocks that are not marked, one after the other; what they defined.

    ``replaced`` has texts to put in the place of others, such as an address.
    """
    page = FOLDER / f"{name}.md"
    blocks = [program for mark, program in BLOCK.findall(page.read_text("utf-8")) if not mark]
    assert blocks, f"{page} shows no program"
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks:
        for old, new in (replaced or {}).items():
            block = block.replace(old, new)
        exec(compile(block, str(page), "exec"), names)
    return names

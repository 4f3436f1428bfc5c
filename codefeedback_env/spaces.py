"""The space of all texts."""

from typing import Any

import numpy as np
from gymnasium.spaces import Space

_SAMPLE_LENGTH = 32
_SAMPLE_ALPHABET = "abcdefghijklmnopqrstuvwxyz ABC 0123456789 ()=+-*/:\n`äλ中😀"


class UnicodeText(Space[str]):
    """Every Python string, of any length, lone surrogates and NUL included.

    Gymnasium's own Text admits a fixed set of characters only, so programs and statements are not
    in it. Samples are short random texts.
    """

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        """A space without bounds; ``seed`` is for ``sample``."""
        super().__init__(shape=None, dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Texts have no fixed size, so False."""
        return False

    def sample(self, mask: None = None, probability: None = None) -> str:
        """A random text of up to 32 characters; ``mask`` and ``probability`` must be None."""
        if mask is not None or probability is not None:
            raise ValueError("UnicodeText.sample takes neither mask nor probability")
        length = int(self.np_random.integers(1, _SAMPLE_LENGTH + 1))
        picks = self.np_random.integers(0, len(_SAMPLE_ALPHABET), size=length)
        return "".join(_SAMPLE_ALPHABET[i] for i in picks)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string."""
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        """All UnicodeText spaces are equal."""
        return isinstance(other, UnicodeText)

    def __hash__(self) -> int:
        """Equal spaces hash alike."""
        return hash(UnicodeText)

    def __repr__(self) -> str:
        """``UnicodeText()``."""
        return "UnicodeText()"

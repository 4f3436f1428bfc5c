"""Tables and colours on standard output."""

from rich.console import Console


class PlainConsole(Console):
    """A console that shows text as it is, and leaves a reader that went away to ``cli.main``."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        """``soft_wrap`` leaves long lines to the terminal, so that they survive a pipe whole."""
        super().__init__(markup=False, highlight=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught; its own answer is exit status 1, which verbs use."""
        raise BrokenPipeError

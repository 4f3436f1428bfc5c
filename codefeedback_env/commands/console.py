"""Tables, colours and numbers on standard output."""

from rich.console import Console


def counted(number: int, noun: str) -> str:
    """The number with its noun, whose plural ends in "s"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class PlainConsole(Console):
    """A console that shows text as it is, and leaves a reader that went away to ``cli.main``."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        """``soft_wrap`` leaves long lines to the terminal, so that they survive a pipe whole."""
        super().__init__(markup=False, highlight=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught; its own answer is exit status 1, which verbs use."""
        raise BrokenPipeError

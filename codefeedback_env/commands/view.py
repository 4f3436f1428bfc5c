"""``codefeedback view``: a page to browse episode records."""

import argparse
import webbrowser
from contextlib import suppress
from pathlib import Path

from codefeedback_env.commands.console import PlainConsole
from codefeedback_env.errors import ConfigError
from codefeedback_env.viewer.index import EpisodeIndex
from codefeedback_env.viewer.page import whole_page
from codefeedback_env.viewer.server import ViewerServer

HELP = "browse episodes in a web page"
DESCRIPTION = (
    "Browse the records of episodes: replies, programs, verdicts and feedback. Serves a page on "
    "this machine alone, or writes it with the records in it to one file."
)

DEFAULT_PORT = 8642


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``run``."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "places",
        nargs="+",
        type=Path,
        metavar="DIR_OR_FILE",
        help="files of records (episodes.jsonl), or folders to look for them in",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one file that needs no server, and end"
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help=f"of the server; 0 takes any that is free (default: {DEFAULT_PORT})",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(arguments: argparse.Namespace) -> int:
    """Write the page, or serve it until interrupted."""
    if arguments.html is not None and arguments.port is not None:
        raise ConfigError("--port is for the server, which --html does not start; leave one out.")
    index = EpisodeIndex(arguments.places)
    console = PlainConsole(soft_wrap=True)
    for note in index.notes():
        console.print(note)
    if arguments.html is not None:
        _write(index, arguments.html)
        console.print(f"{_contents(index)} in {arguments.html}")
        if arguments.open:
            webbrowser.open(arguments.html.resolve().as_uri())
        return 0
    port = DEFAULT_PORT if arguments.port is None else arguments.port
    with ViewerServer(index, port) as server:
        console.print(f"{_contents(index)} at {server.url} (Ctrl-C ends the server)")
        if arguments.open:
            webbrowser.open(server.url)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _contents(index: EpisodeIndex) -> str:
    episodes, files = len(index.rows), len(index.sources)
    return (
        f"{episodes} {'episode' if episodes == 1 else 'episodes'} of "
        f"{files} {'file' if files == 1 else 'files'}"
    )


def _write(index: EpisodeIndex, target: Path) -> None:
    if any(target.exists() and target.samefile(source.path) for source in index.sources):
        raise ConfigError(f"--html {target} would overwrite the records; name another file.")
    try:
        with target.open("w", encoding="utf-8") as file:
            file.writelines(whole_page(index))
    except OSError as error:
        raise ConfigError(f"cannot write --html {target}: {error.strerror}.") from error

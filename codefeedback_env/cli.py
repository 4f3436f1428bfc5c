"""The command ``codefeedback``: one verb for each module of ``commands``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

import codefeedback_env
from codefeedback_env.commands import data, doctor, judge, play, view
from codefeedback_env.errors import CodeFeedbackError

VERBS: dict[str, ModuleType] = {
    "doctor": doctor,
    "judge": judge,
    "play": play,
    "data": data,
    "view": view,
}

USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT
READER_GONE = 128 + 13  # what a shell reports of a program that SIGPIPE ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status.

    Args:
        argv: the arguments, None for those of this process.

    Raises:
        SystemExit: argparse answered, with help or with a usage error.
    """
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        parser.print_help(sys.stderr)
        return USAGE_ERROR
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except CodeFeedbackError as error:
        print(f"codefeedback: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs; the namespace it returns has ``run``, the verb's function."""
    parser = argparse.ArgumentParser(
        prog="codefeedback",
        description="Tools of codefeedback-env, the environment in which code models learn from "
        "execution feedback.",
    )
    parser.add_argument(
        "--version", action="version", version=f"codefeedback-env {codefeedback_env.__version__}"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, module in VERBS.items():
        verb = verbs.add_parser(name, help=module.HELP, description=module.DESCRIPTION)
        module.add_arguments(verb)
    return parser

"""The command line of the reference agents."""

import argparse
import sys
from collections.abc import Sequence

from agents import evaluate, sft, train
from agents.generation.tokens import GeneratorError
from codefeedback_env import CodeFeedbackError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m agents`` with these arguments, by default the process's own.

    Returns:
        The exit status: 0, or 2 where an option, the data, the sandbox or the model is at fault;
        130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog="python -m agents", description="Reference agents for codefeedback_env."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    evaluate.add_parser(verbs)
    train.add_parser(verbs)
    sft.add_parser(verbs)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options, arguments))
    except (CodeFeedbackError, GeneratorError) as error:
        print(f"agents: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("agents: interrupted; what had ended by then is written.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line of the suites: ``python -m benchmarks run|report|judging_share``."""

import argparse
import sys
from collections.abc import Sequence

from agents.generation.tokens import GeneratorError
from benchmarks import judging_share
from benchmarks.evaluation import report, runner
from codefeedback_env import CodeFeedbackError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m benchmarks`` with these arguments, by default the process's own.

    Returns:
        The exit status: 0; 1 where a benchmark's expectation failed; 2 where an option, the data,
        the sandbox or the model is at fault; 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Suites of evaluations. The other benchmarks are modules of their own.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in (runner, report, judging_share):
        module.add_parser(verbs)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options, arguments))
    except (CodeFeedbackError, GeneratorError) as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; --resume goes on with it.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())

"""A person as the agent: reads what a model reads, and replies as a model does.

    python examples/human_agent.py                        # one problem by chance
    python examples/human_agent.py --problem stamp-sheets
    python examples/human_agent.py --editor "nano"        # replies in an editor

A reply is free text with a program in triple backticks, ended by a line with a full stop alone.
`codefeedback play` is the comfortable way: there a file is the program and no backticks are needed.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import gymnasium

import codefeedback_env  # noqa: F401 - registers the environments


def typed_reply() -> str:
    """Lines of standard input up to one that is a full stop, or to its end."""
    print("Your reply; a line with a full stop alone ends it:")
    lines = []
    for line in sys.stdin:
        if line.strip() == ".":
            break
        lines.append(line)
    else:
        if not lines:
            raise EOFError("standard input ended before a reply.")
    return "".join(lines)


def edited_reply(editor: str) -> str:
    """What the person leaves in a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reply.md")
        file.write_text("```python\n\n```\n")
        subprocess.run([*shlex.split(editor), str(file)], check=True)
        return file.read_text()


def play(env: gymnasium.Env[str, str], problem_id: str | None, reply: Callable[[], str]) -> float:
    """One episode; returns the sum of its rewards."""
    options = None if problem_id is None else {"problem": problem_id}
    observation, info = env.reset(options=options)
    total, is_over = 0.0, False
    while not is_over:
        print(f"\n=== {info['problem_id']}, turn {info['turn'] + 1} ===\n{observation}\n")
        observation, reward, terminated, truncated, info = env.step(reply())
        total += float(reward)
        is_over = terminated or truncated
        print(f"\nreward {reward:+g}, public tests: {info['public_verdicts']}")
    print(f"solved: {info.get('private_passed', info.get('sandbox_error'))}, return {total:+g}")
    return total


def main(arguments: list[str] | None = None) -> float:
    """Play one episode; returns the sum of its rewards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="CodeContests-v0", help="id of an environment")
    parser.add_argument("--problem", help="id of a problem; default: one by chance")
    parser.add_argument("--editor", help="command that opens a file, instead of typing")
    options = parser.parse_args(arguments)

    editor = options.editor
    env = gymnasium.make(options.env)
    try:
        reply = typed_reply if editor is None else lambda: edited_reply(editor)
        return play(env, options.problem, reply)
    finally:
        env.close()


if __name__ == "__main__":
    try:
        main()
    except EOFError as error:
        sys.exit(str(error))

"""The tool in TRL's trainer: a model that calls it, through TRL's own loop."""

import json
from functools import cache
from tempfile import mkdtemp

from played import ENV_ID, Case, Played
from trl_policy import make_trainer, script

from codefeedback_env import find_submission
from codefeedback_env.adapters.trl import prompt_rows, submit_environment


@cache
def _trainer():
    rows = prompt_rows(ENV_ID)
    trainer = make_trainer(mkdtemp(), rows, environment_factory=submit_environment(ENV_ID))
    return trainer, {row["problem_id"]: row for row in rows}


def play(case: Case) -> Played:
    """TRL answers a tool's call always, so the model has a word after its last submission."""
    trainer, rows = _trainer()
    script(
        trainer,
        lambda episode, turn: call(case.replies[turn]) if turn < len(case.replies) else "Done.",
    )
    trainer._generate_and_score_completions([rows[case.problem_id]] * 2)
    (prompt,) = list(trainer._logs["prompt"])[-1:]
    (completion,) = list(trainer._logs["completion"])[-1:]
    (reward,) = list(trainer._logs["rewards"]["SubmitEnvironment"])[-1:]
    answers = [message["content"] for message in completion if message["role"] == "tool"]
    assert len(answers) == len(case.replies)
    messages = (prompt[0]["content"], *answers[:-1])
    return Played(messages, (round(reward, 6),), reward > 0)


def call(reply: str) -> str:
    """The call that hands in a reply's program; the empty one where it has none."""
    submission = find_submission(reply)
    code = submission.source_code if submission is not None else ""
    arguments = json.dumps({"name": "submit", "arguments": {"code": code}})
    return f"<tool_call>\n{arguments}\n</tool_call>"

"""Say what went wrong before trying again, and remember what was said.

In the manner of Reflexion (Shinn et al. 2023, arXiv:2303.11366): after a failure the model explains
it in words, which later attempts of the episode read. Prompts are ours; the failure is what the
environment says, not a test of the model's own.
"""

from collections.abc import Sequence

from agents.prompting.task import Plan, Task
from agents.prompting.texts import CODE_FORMAT


def self_reflection(task: Task, *, num_reflections: int = 3) -> Plan:
    """Answer the question; after feedback explain it first, then answer anew.

    Args:
        task: to reply to.
        num_reflections: that an attempt reads, the newest ones.
    """
    if not task.conversation.turn:
        return (yield from task.ask(task.question))
    explained = reflection_prompt(task.question, task.last_reply, task.feedback)
    task.notes.append((yield from task.ask(explained)))
    lessons = task.notes[-num_reflections:]
    prompt = retry_prompt(task.question, task.last_reply, task.feedback, lessons)
    return (yield from task.ask(prompt))


def reflection_prompt(question: str, reply: str, feedback: str) -> str:
    """Asks for the reason of a failure."""
    return (
        "You tried to solve the task below and failed.\n\n"
        f"<task>\n{question}\n</task>\n\n<answer>\n{reply}\n</answer>\n\n"
        f"<feedback>\n{feedback}\n</feedback>\n\n"
        "Explain in a few sentences which mistake led to this and what to do otherwise next time. "
        "Do not write a program."
    )


def retry_prompt(question: str, reply: str, feedback: str, lessons: Sequence[str]) -> str:
    """Asks for another attempt."""
    listed = "\n\n".join(f"<lesson>\n{lesson}\n</lesson>" for lesson in lessons)
    return (
        f"{question}\n\nYour last answer was:\n\n<answer>\n{reply}\n</answer>\n\n"
        f"<feedback>\n{feedback}\n</feedback>\n\nWhat you learned from your attempts:\n\n"
        f"{listed}\n\nTake it to heart and answer anew. {CODE_FORMAT}"
    )

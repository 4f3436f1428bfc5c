"""Two models: one answers, the other repairs the first answer, anew in each later turn.

A critic's feedback and a model for repairs are CodeRL's (Le et al. 2022, arXiv:2207.01780, section
3.4); this loop is Gehring et al. 2025, arXiv:2410.02089, appendix B.4: one sample of the first
model, then independent samples of the second, which reads the problem, the first answer and its
feedback.
"""

from agents.prompting.task import REPAIR, Plan, Task

NUM_FIRST_MESSAGES = 3
"""Prompt, first answer, its feedback."""


def repair_model(task: Task) -> Plan:
    """Answer by the first model, then by the second."""
    messages = task.conversation.messages[:NUM_FIRST_MESSAGES]
    if not task.conversation.turn:
        return (yield from task.ask(messages))
    return (yield from task.ask(messages, model=REPAIR))

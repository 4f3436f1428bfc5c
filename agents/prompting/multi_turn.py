"""The paper's loop: the model goes on with the conversation, feedback and all.

Source: Gehring et al. 2025, arXiv:2410.02089, section 2.1.
"""

from agents.prompting.task import Plan, Task


def multi_turn(task: Task) -> Plan:
    """Reply to what the environment said last."""
    return (yield from task.go_on())

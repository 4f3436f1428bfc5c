"""Independent replies: each turn is a new sample, whatever the environment said.

With a turn limit of 1 this is the single-turn evaluation of the RLEF paper (Gehring et al. 2025,
arXiv:2410.02089, section 3.4.2); with a larger one, repeated sampling that stops when the public
tests pass.
"""

from agents.prompting.task import Plan, Task


def single_turn(task: Task) -> Plan:
    """Answer the question as if nobody had tried before."""
    return (yield from task.ask(task.question))

"""One who remembers similar problems, one who plans, one who codes, one who debugs.

In the manner of MapCoder (Islam et al. 2024, arXiv:2405.11403): a plan for each remembered problem,
tried in the order of the planner's confidence, each program debugged on the public tests. Prompts
are ours, and each memory is a request of its own rather than a part of one long answer.
"""

from collections.abc import Sequence

from agents.prompting.task import Plan, Steps, Task, describe, passed
from agents.prompting.texts import CODE_FORMAT, examples, first_number
from codefeedback_env import TestCase


def role_play(task: Task, *, num_plans: int = 3, num_debugs: int = 3) -> Plan:
    """Reply with the first program that passes the public tests, else with the last one.

    Plans not yet tried are kept for later turns; when all are, the last reply is debugged by the
    environment's feedback.

    Args:
        task: to reply to.
        num_plans: memories, and as many plans.
        num_debugs: of each program.
    """
    if not task.conversation.turn:
        task.notes += yield from _plans(task, num_plans)
    if not task.notes:
        return (
            yield from task.ask(debug_prompt(task.question, "", task.last_reply, task.feedback))
        )
    reply = ""
    while task.notes:
        plan = task.notes.pop(0)
        reply = yield from task.ask(code_prompt(task.question, plan))
        results = yield from task.run(reply, task.public_tests)
        for _ in range(num_debugs):
            if passed(results, task.public_tests):
                break
            feedback = describe(results, task.public_tests)
            reply = yield from task.ask(debug_prompt(task.question, plan, reply, feedback))
            results = yield from task.run(reply, task.public_tests)
        if passed(results, task.public_tests):
            break
    return reply


def _plans(task: Task, num_plans: int) -> Steps[list[str]]:
    """Plans, the one with the most confidence first."""
    numbers = range(1, num_plans + 1)
    memories = yield from task.ask_all(
        [recall_prompt(task.question, number, num_plans) for number in numbers]
    )
    plans = yield from task.ask_all(
        [plan_prompt(task.question, memory, task.public_tests) for memory in memories]
    )
    judgements = yield from task.ask_all(
        [confidence_prompt(task.question, plan) for plan in plans], temperature=0.0
    )
    ranked = sorted(
        zip(judgements, plans, strict=True), key=lambda judged: -first_number(judged[0])
    )
    return [plan for _, plan in ranked]


def recall_prompt(question: str, number: int, num_plans: int) -> str:
    """Asks for a similar problem."""
    return (
        "Remember a programming problem that is like the task below but not the same. Say what it "
        "asked for, how it is solved and which technique that is, in general terms.\n"
        f"Of {num_plans} such problems, each with another technique, give number {number}, the "
        f"first being the most alike.\n\n<task>\n{question}\n</task>"
    )


def plan_prompt(question: str, memory: str, public_tests: Sequence[TestCase]) -> str:
    """Asks for a plan."""
    return (
        "Plan a program for the task below, step by step, with its data structures and special "
        "cases. A similar problem may help, where it fits. Do not write the program.\n\n"
        f"<task>\n{question}\n</task>\n\n{examples(public_tests)}"
        f"<similar>\n{memory}\n</similar>"
    )


def confidence_prompt(question: str, plan: str) -> str:
    """Asks how good a plan is."""
    return (
        "How likely is it that this plan solves the task, within the limits and in all cases? "
        "Answer with a whole number from 0 to 100 and nothing else.\n\n"
        f"<task>\n{question}\n</task>\n\n<plan>\n{plan}\n</plan>"
    )


def code_prompt(question: str, plan: str) -> str:
    """Asks for the program."""
    return f"{question}\n\n<plan>\n{plan}\n</plan>\n\nCarry out the plan. {CODE_FORMAT}"


def debug_prompt(question: str, plan: str, reply: str, feedback: str) -> str:
    """Asks for a better program."""
    planned = f"<plan>\n{plan}\n</plan>\n\n" if plan else ""
    return (
        f"{question}\n\n{planned}<answer>\n{reply}\n</answer>\n\n<feedback>\n{feedback}\n"
        "</feedback>\n\nFollow the answer's program through a test that failed, find where it goes "
        f"wrong (in the plan or in the code) and write it anew. {CODE_FORMAT}"
    )

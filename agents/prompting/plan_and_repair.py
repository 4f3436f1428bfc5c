"""Think about the problem, plan, write tests, then code, and repair until the tests pass.

In the manner of AlphaCodium (Ridnik et al. 2024, arXiv:2401.08500), whose flow is: reflection on
the problem, possible solutions, tests of one's own, code, repair on public tests, repair on one's
own tests with those already passed as anchors. Prompts and numbers are ours.
"""

from collections.abc import Sequence

from agents.prompting.task import Plan, Results, Steps, Task, describe, passed
from agents.prompting.texts import CODE_FORMAT, TESTS_FORMAT, examples, proposed_tests
from codefeedback_env import TestCase, Verdict


def plan_and_repair(task: Task, *, num_own_tests: int = 6, num_repairs: int = 3) -> Plan:
    """Reply with a program that passes what could be tested here.

    In later turns the plan stands; the last reply is repaired by the environment's feedback first.

    Args:
        task: to reply to.
        num_own_tests: that the model writes, at most.
        num_repairs: on the public tests, and again on the model's own.
    """
    if not task.notes:
        task.notes += yield from _prepared(task)
    reflection, plan, tests_text = task.notes
    if task.conversation.turn:
        prompt = repair_prompt(task.question, reflection, task.last_reply, task.feedback)
    else:
        prompt = code_prompt(task.question, reflection, plan)
    reply = yield from task.ask(prompt)
    reply = yield from _repaired(task, reply, [], task.public_tests, num_repairs)
    known = {test.stdin for test in task.public_tests}
    own_tests = proposed_tests(tests_text, num_own_tests) if task.takes_stdin else []
    new_tests = [test for test in own_tests if test.stdin not in known]
    return (yield from _repaired(task, reply, task.public_tests, new_tests, num_repairs))


def _prepared(task: Task) -> Steps[list[str]]:
    """Reflection, plan and tests."""
    reflection = yield from task.ask(reflection_prompt(task.question, task.public_tests))
    plan, tests_text = yield from task.ask_all(
        [
            plan_prompt(task.question, reflection),
            tests_prompt(task.question, reflection, task.public_tests),
        ]
    )
    return [reflection, plan, tests_text]


def _repaired(
    task: Task,
    reply: str,
    anchors: Sequence[TestCase],
    tests: Sequence[TestCase],
    num_repairs: int,
) -> Steps[str]:
    """The reply, or a repair of it that passes more of the tests and no fewer of the anchors."""
    everything = [*anchors, *tests]
    if not tests:
        return reply
    results = yield from task.run(reply, everything)
    for _ in range(num_repairs):
        if passed(results, everything):
            break
        feedback = describe(results, everything)
        prompt = repair_prompt(task.question, task.notes[0], reply, feedback)
        repair = yield from task.ask(prompt)
        repair_results = yield from task.run(repair, everything)
        if _is_better(repair_results, results, len(anchors)):
            reply, results = repair, repair_results
    return reply


def _is_better(new: Results, old: Results, num_anchors: int) -> bool:
    """More tests are passed, and of the anchors all that were passed before."""
    new_passes = [result.verdict is Verdict.ACCEPTED for result in new]
    old_passes = [result.verdict is Verdict.ACCEPTED for result in old]
    kept = zip(old_passes[:num_anchors], new_passes[:num_anchors], strict=False)
    return sum(new_passes) > sum(old_passes) and all(now or not before for before, now in kept)


def reflection_prompt(question: str, public_tests: Sequence[TestCase]) -> str:
    """Asks what the task is."""
    return (
        "Read the task below and restate it in a few short points: what is given, what is asked "
        "for, the limits, and details that are easily missed. Then say for each known test why "
        "its output is right. Do not write a program.\n\n"
        f"<task>\n{question}\n</task>\n\n{examples(public_tests)}"
    )


def plan_prompt(question: str, reflection: str) -> str:
    """Asks for a way to solve it."""
    return (
        "Name two or three ways to solve the task below. Compare whether they are right, fast "
        "enough and simple, and choose one. Describe that one step by step. Do not write a "
        f"program.\n\n<task>\n{question}\n</task>\n\n<notes>\n{reflection}\n</notes>"
    )


def tests_prompt(question: str, reflection: str, public_tests: Sequence[TestCase]) -> str:
    """Asks for tests with what is right on them."""
    return (
        "Write tests for programs that solve the task below: small inputs whose outputs you are "
        f"sure of, others than the known ones, special cases among them. {TESTS_FORMAT}\n\n"
        f"<task>\n{question}\n</task>\n\n<notes>\n{reflection}\n</notes>\n\n"
        f"{examples(public_tests)}"
    )


def code_prompt(question: str, reflection: str, plan: str) -> str:
    """Asks for the program."""
    return (
        f"{question}\n\n<notes>\n{reflection}\n</notes>\n\n<plan>\n{plan}\n</plan>\n\n"
        f"Carry out the plan, in functions with telling names. {CODE_FORMAT}"
    )


def repair_prompt(question: str, reflection: str, reply: str, feedback: str) -> str:
    """Asks for a better program."""
    return (
        f"{question}\n\n<notes>\n{reflection}\n</notes>\n\nThis answer is not right yet:\n\n"
        f"<answer>\n{reply}\n</answer>\n\n<feedback>\n{feedback}\n</feedback>\n\n"
        f"Say in a sentence what is wrong, then write the whole program anew. {CODE_FORMAT}"
    )

"""Many samples, filtered by the public tests, one from each group that behaves alike.

Source: Li et al. 2022, AlphaCode, arXiv:2203.07814, sections 4.4 to 4.6. There a model trained for
it writes the inputs on which programs are compared; here the same model is asked for them.
"""

from collections.abc import Sequence
from itertools import zip_longest

from agents.prompting.task import Plan, Results, Steps, Task, passed
from agents.prompting.texts import blocks, examples
from codefeedback_env import TestCase, TestResult, Verdict, find_submission


def sampling_and_filtering(task: Task, *, num_samples: int = 20, num_inputs: int = 8) -> Plan:
    """Reply with the best candidate not yet handed in; all are ranked in the first turn.

    Args:
        task: to reply to.
        num_samples: candidates.
        num_inputs: on which those that pass the public tests are compared; 0 for no comparison.
    """
    if not task.notes:
        task.notes += yield from _ranked(task, num_samples, num_inputs)
    return task.notes[min(task.conversation.turn, len(task.notes) - 1)]


def _ranked(task: Task, num_samples: int, num_inputs: int) -> Steps[list[str]]:
    """The candidates, best first; at least one."""
    samples = yield from task.ask_all([task.question] * num_samples)
    programs = {program: sample for sample in samples if (program := find_submission(sample))}
    candidates = list(programs.values())
    if not candidates:
        return samples[:1]
    results = yield from task.run_all(candidates, task.public_tests)
    passing = [c for c, r in zip(candidates, results, strict=True) if passed(r, task.public_tests)]
    # Where none passes, the one that comes closest is handed in, as feedback may still help.
    nearest = sorted(
        (c for c in candidates if c not in passing),
        key=lambda candidate: -_num_accepted(results[candidates.index(candidate)]),
    )
    if len(passing) < 2 or not num_inputs or not task.takes_stdin:
        return passing + nearest
    prompt = inputs_prompt(task.question, task.public_tests, num_inputs)
    texts = blocks((yield from task.ask(prompt)))[:num_inputs]
    inputs = [TestCase(text, "") for text in dict.fromkeys(texts)]
    outputs = yield from task.run_all(passing, inputs)
    return _by_cluster(passing, outputs) + nearest


def inputs_prompt(question: str, public_tests: Sequence[TestCase], num_inputs: int) -> str:
    """Asks for inputs, not for what is right on them."""
    return (
        "Below is a task for a program. Do not solve it. Write inputs on which a wrong program is "
        f"likely to be found out: {num_inputs} of them, all different and all valid, among them "
        "small ones, extreme ones and special cases.\n\n"
        f"<task>\n{question}\n</task>\n\n{examples(public_tests)}"
        "Put each input between triple backticks, on lines of its own, and nothing else there."
    )


def _by_cluster(candidates: Sequence[str], outputs: Sequence[Results]) -> list[str]:
    """One of each group with equal outputs, largest group first; then a second of each."""
    clusters: dict[tuple[tuple[str, ...] | Verdict, ...], list[str]] = {}
    for candidate, results in zip(candidates, outputs, strict=True):
        clusters.setdefault(tuple(map(_behaviour, results)), []).append(candidate)
    by_size = sorted(clusters.values(), key=len, reverse=True)
    return [c for rank in zip_longest(*by_size) for c in rank if c is not None]


def _behaviour(result: TestResult) -> tuple[str, ...] | Verdict:
    """What a program did where nobody knows the right output: its words, or how it broke."""
    if result.verdict in (Verdict.ACCEPTED, Verdict.WRONG_ANSWER):
        return tuple(result.stdout.split())
    return result.verdict


def _num_accepted(results: Results) -> int:
    return sum(result.verdict is Verdict.ACCEPTED for result in results)

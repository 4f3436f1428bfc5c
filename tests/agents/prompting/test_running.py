"""Agents that run programs before they reply."""

from functools import partial

import pytest
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, SharedJudge, fenced
from scripted_models import Played, conversation

from agents.prompting import plan_and_repair as pr
from agents.prompting import role_play as rp
from agents.prompting.runner import MAX_ENVS, Runner
from agents.prompting.sampling_and_filtering import inputs_prompt, sampling_and_filtering
from agents.prompting.task import Trial, describe
from agents.prompting.texts import blocks, examples, first_number, proposed_tests
from codefeedback_env import TestCase, Verdict

pytestmark = pytest.mark.sandbox
QUESTION = "Add two numbers."
SUBTRACT_LATE = "a, b = map(int, input().split())\nprint(a + b if a < 9 else a - b)"
SUBTRACT_LATER = "a, b = map(int, input().split())\nprint(a - b if a > 8 else a + b)"


@pytest.fixture
def shared(judge):
    return SharedJudge(judge)


@pytest.fixture
def public_tests(add_set):
    return add_set["add-0"].public_tests


def script(*answers):
    """The texts, in turn and then the last, of the first pair whose words the prompt has."""
    left = {words: list(texts) for words, texts in answers}

    def answer(asked):
        for words, texts in left.items():
            if words in asked:
                return texts.pop(0) if len(texts) > 1 else texts[0]
        raise AssertionError(asked)

    return answer


def test_programs_run_on_any_tests_and_show_what_they_print(add_set, shared):
    runner = Runner({"sandbox": shared, "turn_limit": 3})
    tests = (TestCase("1 2\n", ""), TestCase("1 2\n", "3\n"), TestCase("x\n", ""))
    trials = [Trial(fenced(ADD), tests), Trial("no program", tests), Trial(fenced("1 +"), tests)]
    tickets = runner.submit([(add_set["add-0"], trial) for trial in trials])
    found = {}
    while runner.num_unfinished:
        found.update(runner.collect(wait=True))
    ran, absent, broken = (found[ticket] for ticket in tickets)
    verdicts = [Verdict.WRONG_ANSWER, Verdict.ACCEPTED, Verdict.RUNTIME_ERROR]
    assert [result.verdict for result in ran] == verdicts
    assert [result.stdout for result in ran] == ["3\n", "3\n", ""]
    assert absent == ()
    assert {result.verdict for result in broken} <= {Verdict.COMPILE_ERROR}
    runner.close()


def test_more_programs_than_environments_all_run(add_set, shared):
    runner = Runner({"sandbox": shared})
    problem = add_set["add-0"]
    tests = [(TestCase(f"{n} 1\n", ""),) for n in range(MAX_ENVS + 9)]
    tickets = runner.submit([(problem, Trial(fenced(ADD), test)) for test in tests])
    found = {}
    while runner.num_unfinished:
        found.update(runner.collect(wait=True))
    printed = [found[ticket][0].stdout for ticket in tickets]
    assert printed == [f"{n + 1}\n" for n in range(MAX_ENVS + 9)]
    assert runner.collect(wait=False) == []
    runner.close()


def test_candidates_are_filtered_by_the_public_tests_and_the_largest_cluster_comes_first(
    add_set, shared, public_tests
):
    # Of those that pass "1 2" and "2 2", two agree on "10 3" and one does not.
    samples = [ADD_WRONG, ADD, SUBTRACT_LATE, SUBTRACT_LATER]
    prompt = inputs_prompt(QUESTION, public_tests, 4)
    answer = script(
        ("Do not solve it", ["```\n10 3\n```\n```\n10 3\n```"]),
        (QUESTION, [*map(fenced, samples), "no program"]),
    )
    agent = partial(sampling_and_filtering, num_samples=5, num_inputs=4)
    played = Played(agent, add_set, answer, judge=shared)
    texts = [QUESTION]
    replies = []
    for _ in range(5):
        (reply,) = played.policy.reply([conversation(*texts)])
        replies.append(reply)
        texts += [reply, "wrong"]
    assert replies == [fenced(p) for p in (SUBTRACT_LATE, ADD, SUBTRACT_LATER, ADD_WRONG)] + [
        fenced(ADD_WRONG)
    ]
    assert played.asked() == [QUESTION] * 5 + [prompt]  # all of it in the first turn
    assert len({request.seed for request in played.main.requests}) == 6
    assert "10 20" not in prompt  # an input of a hidden test
    played.policy.close()


def test_without_a_second_candidate_nothing_is_compared(add_set, shared):
    answer = script((QUESTION, [fenced(ADD_WRONG), fenced(ADD), fenced(ADD)]))
    agent = partial(sampling_and_filtering, num_samples=3)
    played = Played(agent, add_set, answer, judge=shared)
    assert played.policy.reply([conversation(QUESTION)]) == [fenced(ADD)]
    assert played.asked() == [QUESTION] * 3
    played.policy.close()


def test_plan_and_repair_repairs_until_public_and_own_tests_pass(add_set, shared, public_tests):
    own = "Input:\n```\n7 1\n```\nOutput:\n```\n8\n```\n"
    raises = "raise SystemExit(1)"
    answer = script(
        ("restate it", ["REFLECTION"]),
        ("Name two or three ways", ["PLAN"]),
        ("Write tests for programs", [own]),
        ("Carry out the plan", [fenced(raises)]),
        ("not right yet", [fenced(ADD_WRONG), fenced(ADD_PUBLIC_ONLY), fenced(ADD)]),
    )
    played = Played(pr.plan_and_repair, add_set, answer, judge=shared)
    assert played.policy.reply([conversation(QUESTION)]) == [fenced(ADD)]
    asked = played.asked()
    assert asked[:4] == [
        pr.reflection_prompt(QUESTION, public_tests),
        pr.plan_prompt(QUESTION, "REFLECTION"),
        pr.tests_prompt(QUESTION, "REFLECTION", public_tests),
        pr.code_prompt(QUESTION, "REFLECTION", "PLAN"),
    ]
    assert len(asked) == 7
    assert fenced(raises) in asked[4]
    # The second repair passes the public tests, so what is left to repair is the model's own test.
    assert "- input `2 2\n` failed:\nExpected output `4\n` but got `3\n`" in asked[5]
    assert "- input `7 1\n` failed:\nExpected output `8\n` but got `0\n`" in asked[6]
    played.policy.close()


def test_a_repair_that_breaks_a_public_test_is_not_taken(add_set, shared):
    own = "".join(f"Input:\n```\n{n} 1\n```\nOutput:\n```\n3\n```\n" for n in (7, 8))  # both wrong
    answer = script(
        ("restate it", [""]),
        ("Name two or three ways", [""]),
        ("Write tests for programs", [own]),
        ("Carry out the plan", [fenced(ADD)]),
        ("not right yet", [fenced(ADD_WRONG)]),  # passes three of four tests, ADD two
    )
    agent = partial(pr.plan_and_repair, num_repairs=2)
    played = Played(agent, add_set, answer, judge=shared)
    assert played.policy.reply([conversation(QUESTION)]) == [fenced(ADD)]
    assert len(played.asked()) == 6
    played.policy.close()


def test_in_later_turns_the_plan_stands_and_the_feedback_is_repaired(add_set, shared):
    answer = script(("not right yet", [fenced(ADD)]), ("", ["NOTE"]))
    played = Played(pr.plan_and_repair, add_set, answer, judge=shared)
    played.policy.reply([conversation(QUESTION)])
    num_before = len(played.asked())
    later = conversation(QUESTION, "my answer", "hidden failure")
    assert played.policy.reply([later]) == [fenced(ADD)]
    expected = pr.repair_prompt(QUESTION, "NOTE", "my answer", "hidden failure")
    assert played.asked()[num_before:] == [expected]
    played.policy.close()


def test_role_play_tries_plans_by_confidence_and_debugs_each(add_set, shared, public_tests):
    answer = script(
        ("Remember a programming problem", ["MEMORY 1", "MEMORY 2"]),
        ("MEMORY 1", ["PLAN 1"]),
        ("MEMORY 2", ["PLAN 2"]),
        ("from 0 to 100", ["about 20", "90%"]),
        ("Follow the answer", [fenced(ADD_WRONG)]),
        ("PLAN 2", [fenced(ADD_WRONG)]),
        ("PLAN 1", [fenced(ADD)]),
    )
    agent = partial(rp.role_play, num_plans=2, num_debugs=1)
    played = Played(agent, add_set, answer, judge=shared)
    assert played.policy.reply([conversation(QUESTION)]) == [fenced(ADD)]
    asked = played.asked()
    assert asked[:6] == [
        *(rp.recall_prompt(QUESTION, number, 2) for number in (1, 2)),
        *(rp.plan_prompt(QUESTION, f"MEMORY {n}", public_tests) for n in (1, 2)),
        *(rp.confidence_prompt(QUESTION, f"PLAN {n}") for n in (1, 2)),
    ]
    temperatures = [request.sampling.temperature for request in played.main.requests]
    assert temperatures == [0.5] * 4 + [0.0] * 2 + [0.5] * 3
    assert asked[6] == rp.code_prompt(QUESTION, "PLAN 2")
    feedback = "Expected output `4\n` but got `3\n`"
    assert feedback in asked[7]
    assert asked[8:] == [rp.code_prompt(QUESTION, "PLAN 1")]
    # No plan is left, so the next turn debugs what the environment failed.
    played.policy.reply([conversation(QUESTION, "answer", "hidden failure")])
    assert played.asked()[9:] == [rp.debug_prompt(QUESTION, "", "answer", "hidden failure")]
    played.policy.close()


def test_plans_not_tried_are_kept_for_later_turns(add_set, shared):
    answer = script(
        ("Remember", ["MEMORY"]),
        ("Plan a program", ["PLAN A", "PLAN B"]),
        ("from 0 to 100", ["1"]),
        ("", [fenced(ADD)]),
    )
    played = Played(partial(rp.role_play, num_plans=2), add_set, answer, judge=shared)
    played.policy.reply([conversation(QUESTION)])
    played.policy.reply([conversation(QUESTION, fenced(ADD), "hidden failure")])
    expected = [rp.code_prompt(QUESTION, f"PLAN {name}") for name in "AB"]
    assert played.asked()[-2:] == expected
    played.policy.close()


def test_agents_that_run_and_agents_that_wait_get_on_together(add_set, shared):
    """One conversation needs many repairs, the other none; both are served at once."""

    def answer(asked):
        return fenced(ADD if "quick" in asked else ADD_WRONG)

    agent = partial(pr.plan_and_repair, num_repairs=2)
    played = Played(agent, add_set, answer, judge=shared)
    both = [conversation("slow", problem_id="add-1"), conversation("quick", seed=1)]
    assert played.policy.reply(both) == [fenced(ADD_WRONG), fenced(ADD)]
    assert played.policy.spent["num_replies"] == 2
    assert played.policy.spent["completions_per_reply"] == (4 + 2 + 4) / 2
    played.policy.close()


def test_what_failed_is_described_in_the_environments_words(public_tests):
    assert "Could not parse your code" in describe((), public_tests)


def test_blocks_tests_and_numbers_are_found_in_what_models_say():
    said = "First:\n```\n1 2\n```\nthen ```text\n3\n\n```, ```\n\n``` and ```4```"
    assert blocks(said) == ["1 2\n", "3\n"]
    said = (
        "Test 1\nInput:\n```\n1\n```\nOutput:\n```\n2\n```\n**Input**:\n\n```txt\n1\n\n3\n```\n\n"
    )
    said += "**Expected output**:\n```\n4\n```\nInput:\n```\n5\n```\nno output"
    expected = [TestCase("1\n", "2\n"), TestCase("1\n\n3\n", "4\n")]
    assert proposed_tests(said, 5) == expected
    assert proposed_tests(said, 1) == expected[:1]
    assert [first_number(text) for text in ("about 70%", "0.5", "no idea", "")] == [70, 0.5, 0, 0]
    assert examples(()) == ""
    assert len(examples([TestCase("1" * 9999, "2")])) < 700

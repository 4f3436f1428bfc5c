"""Agents that only talk: what they ask, and that their replies are what the model said."""

from functools import partial

import pytest
from examples import ADD, ADD_WRONG, fenced
from scripted_models import Played, conversation, newest

from agents.generation.tokens import GeneratorError
from agents.prompting.few_shot import few_shot, read_shots
from agents.prompting.multi_turn import multi_turn
from agents.prompting.repair_model import repair_model
from agents.prompting.self_reflection import reflection_prompt, retry_prompt, self_reflection
from agents.prompting.single_turn import single_turn
from codefeedback_env import ConfigError, EndedBy, Episode, Turn


def numbered(asked):
    """Says how many times it was asked."""
    numbered.count += 1
    return f"answer {numbered.count}"


@pytest.fixture(autouse=True)
def _count_anew():
    numbered.count = 0


def texts_of(request):
    return [message["content"] for message in request.messages]


def test_single_turn_asks_the_question_anew_in_each_turn(add_set):
    played = Played(single_turn, add_set, numbered)
    assert played.policy.reply([conversation("question")]) == ["answer 1"]
    assert played.policy.reply([conversation("question", "answer 1", "wrong")]) == ["answer 2"]
    assert [texts_of(request) for request in played.main.requests] == [["question"]] * 2
    assert len({request.seed for request in played.main.requests}) == 2


def test_multi_turn_goes_on_with_the_dialogue(add_set):
    played = Played(multi_turn, add_set, numbered)
    texts = ("question", "answer", "wrong")
    assert played.policy.reply([conversation(*texts)]) == ["answer 1"]
    (request,) = played.main.requests
    assert texts_of(request) == list(texts)
    assert request.dialogue == ("add-0", 0)
    assert request.sampling.temperature == 0.5


def test_replies_of_many_conversations_come_in_their_order_and_once_for_equal_ones(add_set):
    played = Played(multi_turn, add_set, str.upper)
    asked = [conversation(text, seed=n) for n, text in enumerate(["a", "b", "c"])]
    assert played.policy.reply([asked[0], asked[1], asked[0], asked[2]]) == ["A", "B", "A", "C"]
    assert len(played.main.requests) == 3


def test_seeds_are_a_function_of_episode_turn_and_number(add_set):
    def seeds(order):
        played = Played(single_turn, add_set, numbered)
        played.policy.reply([conversation("q", seed=seed) for seed in order])
        return sorted(request.seed for request in played.main.requests)

    assert seeds([1, 2, 3]) == seeds([3, 1, 2])
    assert len(set(seeds([1, 2, 3]))) == 3


def test_self_reflection_explains_each_failure_and_remembers_the_newest_ones(add_set):
    agent = partial(self_reflection, num_reflections=2)
    played = Played(agent, add_set, numbered)
    texts = ["question"]
    for number in range(4):
        (reply,) = played.policy.reply([conversation(*texts)])
        texts += [reply, f"feedback {number}"]
    assert played.asked() == [
        "question",
        reflection_prompt("question", "answer 1", "feedback 0"),
        retry_prompt("question", "answer 1", "feedback 0", ["answer 2"]),
        reflection_prompt("question", "answer 3", "feedback 1"),
        retry_prompt("question", "answer 3", "feedback 1", ["answer 2", "answer 4"]),
        reflection_prompt("question", "answer 5", "feedback 2"),
        retry_prompt("question", "answer 5", "feedback 2", ["answer 4", "answer 6"]),
    ]
    assert reply == "answer 7"


def test_what_was_learned_in_one_episode_is_unknown_in_another(add_set):
    played = Played(self_reflection, add_set, numbered)
    for seed in (1, 2):
        played.policy.reply([conversation("question", seed=seed)])
        played.policy.reply([conversation("question", "a", "b", seed=seed)])
    assert played.asked()[-1] == retry_prompt("question", "a", "b", ["answer 5"])


def test_the_second_model_repairs_the_first_answer_whatever_came_after(add_set):
    played = Played(repair_model, add_set, lambda asked: "first", lambda asked: "repair")
    dialogue = conversation("q", "first", "wrong", "repair", "wrong again")
    assert played.policy.reply([conversation("q")]) == ["first"]
    assert played.policy.reply([dialogue]) == ["repair"]
    assert [texts_of(r) for r in played.main.requests] == [["q"]]
    assert [texts_of(r) for r in played.repair.requests] == [["q", "first", "wrong"]]
    assert set(played.policy.spent["models"]) == {"main", "repair"}
    assert played.policy.caveats[0].startswith("main model: ")


def episode(problem_id, num_turns, *, is_solved=True):
    turns = tuple(
        Turn(
            reply=fenced(ADD if number == num_turns else ADD_WRONG),
            submission=None,
            public_report=None,
            feedback="" if number == num_turns else f"feedback {number} on {problem_id}",
            reward=0.0,
        )
        for number in range(1, num_turns + 1)
    )
    return Episode(
        problem_id=problem_id,
        seed=0,
        prompt=f"prompt of {problem_id}",
        turns=turns,
        reward=1.0,
        private_passed=is_solved,
        ended_by=EndedBy.TESTS_PASSED,
    )


def test_few_shot_shows_solved_episodes_of_two_and_three_attempts_of_other_problems(add_set):
    shots = [episode("two", 2), episode("three", 3), episode("add-0", 2)]
    played = Played(partial(few_shot, shots=shots, num_shots=2), add_set, lambda asked: "reply")
    first = conversation("question")
    assert played.policy.reply([first]) == ["reply"]
    later = first.followed_by("assistant", "reply").followed_by("user", "wrong")
    played.policy.reply([later])
    right, wrong = fenced(ADD), fenced(ADD_WRONG)
    two = ["prompt of two", wrong, "feedback 1 on two", right]
    three = ["prompt of three", wrong, "feedback 1 on three", wrong]
    three += ["feedback 2 on three", right]
    now, then = played.main.requests
    assert texts_of(now) == [*two, "", *three, "", "question"]
    assert texts_of(then) == [*two, "", *three, "", "question", "reply", "wrong"]
    roles = [message["role"] for message in now.messages]
    assert roles == ["user", "assistant"] * 2 + ["assistant"] + ["user", "assistant"] * 3 + [
        "assistant",
        "user",
    ]
    assert now.dialogue == then.dialogue


def test_few_shot_shows_other_examples_in_other_episodes_and_as_many_as_there_are(add_set):
    shots = [episode(f"other {n}", 2 + n % 2) for n in range(20)]
    played = Played(partial(few_shot, shots=shots, num_shots=1), add_set, lambda asked: "")
    played.policy.reply([conversation("q", seed=seed) for seed in range(8)])
    assert len({texts_of(request)[0] for request in played.main.requests}) > 2
    played = Played(partial(few_shot, shots=shots[:3], num_shots=9), add_set, lambda asked: "")
    played.policy.reply([conversation("q")])
    assert texts_of(played.main.requests[0]).count("") == 3


def test_shots_are_the_solved_episodes_of_a_file(tmp_path):
    file = tmp_path / "episodes.jsonl"
    episodes = [episode("a", 1), episode("b", 2), episode("c", 3), episode("d", 4)]
    episodes.append(episode("e", 2, is_solved=False))
    file.write_text("".join(e.to_json() + "\n" for e in episodes))
    assert [shot.problem_id for shot in read_shots(file)] == ["b", "c"]
    file.write_text(episodes[0].to_json() + "\n")
    with pytest.raises(ConfigError, match="no episode that was solved at the second or third"):
        read_shots(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_shots(tmp_path / "nowhere")


def test_a_model_that_breaks_ends_the_reply_and_leaves_nothing_under_way(add_set):
    def answer(asked):
        if "b" in asked:
            raise GeneratorError("gone")
        return asked

    played = Played(single_turn, add_set, answer)
    with pytest.raises(GeneratorError, match="gone"):
        played.policy.reply([conversation("a"), conversation("b", seed=1)])
    assert played.main.num_unfinished == 0
    assert played.policy.reply([conversation("a")]) == ["a"]
    assert newest(played.main.requests[-1]) == "a"

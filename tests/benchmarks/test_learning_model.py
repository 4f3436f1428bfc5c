"""Tokenizer, tiny model and warm-up of the learning benchmark."""

import itertools
import random
from collections import Counter

import gymnasium
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

# Below the skips, since they need what is skipped for.
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.chat import chat_format
from benchmarks.learning import model as tiny
from benchmarks.learning.tasks import (
    FAMILIES,
    Program,
    fits,
    tasks,
    write_tasks,
)
from benchmarks.learning.tokens import build_tokenizer
from codefeedback_env import (
    PaperFeedback,
    TestCase,
    TestResult,
    Verdict,
    find_submission,
)

TRACEBACK = 'Traceback (most recent call last):\n  File "solution.py", line 1\nNameError: ü 😀\0\n'


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(list(FAMILIES))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def messages():
    """What the environment may say in these families, and replies."""
    text = PaperFeedback()
    tests = [TestCase("7\n", "-12\n"), TestCase("3\n", "10\n")]

    def result(verdict, stdout="81\n", stderr=""):
        return TestResult(index=0, verdict=verdict, stdout=stdout, stderr=stderr)

    for family in FAMILIES.values():
        task = next(tasks(family, random.Random(0)))
        yield text.prompt(task.problem("x"))
        yield from (program.reply for program in family.programs)
    for verdict in Verdict:
        if verdict is Verdict.ACCEPTED:
            continue
        yield text.feedback([(tests[0], result(verdict, stderr=TRACEBACK))])
        yield text.feedback([(test, result(verdict)) for test in tests])
        yield text.feedback([(test, result(verdict, stdout="no number")) for test in tests])
    yield text.no_code()
    yield " a  b\r\n\t<0x41> ▁ ``` , . 'x' <user>x<end>"
    yield ""


@pytest.mark.parametrize("text", list(messages()))
def test_every_message_survives_the_round_trip(tokenizer, text):
    chat = chat_format(tokenizer, "plain")
    ids = chat.prompt_ids(text, 10_000)
    assert chat.reply_text(ids[1:-2]) == text
    assert ids[0] not in ids[1:-2]  # a statement cannot end the user's message


def test_stored_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    stored = AutoTokenizer.from_pretrained(tmp_path)
    for text in messages():
        assert stored.encode(text) == tokenizer.encode(text)


def test_a_turn_is_short(tokenizer):
    chat = chat_format(tokenizer, "plain")
    text = PaperFeedback()
    failed = TestResult(index=0, verdict=Verdict.WRONG_ANSWER, stdout="-81\n")
    entry = (TestCase("7\n", "-12\n"), failed)
    end = list(chat.stop_ids)
    assert len(chat.feedback_ids(text.feedback([entry]), last_reply_ids=end, max_tokens=99)) <= 15
    assert (
        len(chat.feedback_ids(text.feedback([entry] * 2), last_reply_ids=end, max_tokens=99)) <= 25
    )
    assert len(tokenizer.encode(Program("c", 7).reply)) == 3


def test_warm_up_replies_are_the_same_whatever_the_tasks_and_their_feedback_are(monkeypatch):
    """Replies come from a stream of their own: with other hidden programs the same are drawn."""
    family = FAMILIES["const"]

    def first_replies():
        return [d[0][1] for d in itertools.islice(tiny.warm_up_dialogues(family, 0), 200)]

    before = first_replies()

    def other_tasks(family, rng):
        return tasks(family, random.Random("others"))

    monkeypatch.setattr(tiny, "tasks", other_tasks)
    assert first_replies() == before


def test_warm_up_replies_are_independent_of_the_feedback_before_them():
    """Given what feedback asks for, every digit follows equally often.

    Of 10 x 10 cells with some 90 replies each, a cell's standard deviation is 9.5, and the sum of
    squared standard scores is chi-square with 90 degrees of freedom: above 150 once in 10,000.
    """
    family = FAMILIES["const"]
    counts = Counter()
    for dialogue in itertools.islice(tiny.warm_up_dialogues(family, 1), 5000):
        for message, reply in dialogue[1:]:
            wanted = message.split("Expected output `")[1][0]
            counts[wanted, find_submission(reply).source_code] += 1
    assert len(counts) == 100
    wanted_total, reply_total = Counter(), Counter()
    for (wanted, reply), number in counts.items():
        wanted_total[wanted] += number
        reply_total[reply] += number
    total = sum(counts.values())
    chi_square = 0.0
    for wanted, reply in itertools.product(wanted_total, reply_total):
        expected = wanted_total[wanted] * reply_total[reply] / total
        chi_square += (counts[wanted, reply] - expected) ** 2 / expected
    assert chi_square < 150


def test_warm_up_dialogue_ends_with_the_reply_that_passes():
    family = FAMILIES["const"]
    task = next(tasks(family, random.Random(0)))
    wrong = next(p for p in family.programs if not fits(p, task.hidden, task.public_inputs))
    turns = tiny.warm_up_dialogue(task, [wrong, task.hidden, wrong])
    assert [reply for _, reply in turns] == [wrong.reply, task.hidden.reply]
    number = task.public_inputs[0]
    assert turns[1][0].startswith(
        f"Your code failed the following tests:\n\n- input `{number}\n` failed:\n"
        f"Expected output `{task.hidden.output(number)}\n` but got `{wrong.output(number)}\n`\n\n"
    )


@pytest.mark.sandbox
def test_warm_up_is_what_the_environment_says(tmp_path):
    """The strings rendered without a sandbox are those of an episode in one."""
    family = FAMILIES["any"]
    path = write_tasks(family, tmp_path, {"train": 1}, seed=0)["train"]
    task = next(tasks(family, random.Random("any 0")))
    wrong = [p for p in family.programs if not fits(p, task.hidden, task.public_inputs)][:2]
    rendered = [message for message, _ in tiny.warm_up_dialogue(task, [*wrong, task.hidden])]
    env = gymnasium.make("CodeFeedback-v0", path=path)
    try:
        said = [env.reset()[0], *(env.step(program.reply)[0] for program in wrong)]
    finally:
        env.close()
    assert said == rendered


def test_warmed_up_model_writes_programs_and_does_not_use_feedback(tmp_path):
    """After a short warm-up replies parse; what feedback asks for is no likelier than chance."""
    family = FAMILIES["const"]
    tiny.write_model(family, tmp_path, seed=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    chat = chat_format(tokenizer, "plain")
    asked, syntax = [], []
    start = tokenizer.encode(Program("c", 0).reply)[0]
    digits = [tokenizer.encode(str(digit))[0] for digit in range(10)]
    for task in itertools.islice(tasks(family, random.Random(9)), 100):
        wrong = Program("c", (task.hidden.constant + 3) % 10)
        (first, _), (second, _) = tiny.warm_up_dialogue(task, [wrong, task.hidden])
        reply = [*tokenizer.encode(wrong.reply), *chat.stop_ids]
        ids = chat.prompt_ids(first, 200) + reply
        ids += chat.feedback_ids(second, last_reply_ids=reply, max_tokens=200)
        ids.append(start)
        with torch.no_grad():
            probabilities = model(torch.tensor([ids])).logits[0, -1].softmax(-1)
        asked.append(probabilities[digits[task.hidden.constant]].item())
        syntax.append(probabilities[digits].sum().item())
    assert sum(syntax) / 100 > 0.9
    assert 0.05 < sum(asked) / 100 < 0.15

import ast
import json
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import ADD, ADD_WRONG, SharedJudge, add_problem, fenced

import agents
from agents.__main__ import main
from agents.sft import SFTConfig
from agents.supervised.examples import Example, encode, make_examples
from agents.supervised.repair import RepairDialogues, unify_indentation
from codefeedback_env import (
    ConfigError,
    EndedBy,
    Episode,
    Pool,
    ProblemSet,
    TestReport,
    TestResult,
    Turn,
    Verdict,
    find_submission,
)
from codefeedback_env.make import make_vector_env

torch = pytest.importorskip("torch")

import torch.distributed as dist
import torch.multiprocessing as mp
from scripted_tokens import CharacterChat, ScriptedTokens
from tiny_models import save_tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.chat import chat_format
from agents.generation.tokens import Sampling
from agents.ppo.checkpoints import CheckpointError
from agents.ppo.learner import TrainingError
from agents.ppo.rollout import DialogueLimits, Rollout, RolloutEngine, play
from agents.supervised import trainer
from agents.supervised.trainer import fine_tune, rate_fraction

CONFIG = SFTConfig(model="m", out=Path("o"))
WRONG = TestReport(
    pool=Pool.PUBLIC,
    num_tests=2,
    results=(
        TestResult(index=0, verdict=Verdict.ACCEPTED, stdout="3\n"),
        TestResult(index=1, verdict=Verdict.WRONG_ANSWER, stdout="3\n"),
    ),
)
RIGHT = replace(WRONG, results=(WRONG.results[0], replace(WRONG.results[0], index=1)))


class Chat(CharacterChat):
    thinks = False

    def reply_ids(self, text):
        return [ord(character) for character in text] + [0]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def turn(reply, feedback="", report=WRONG):
    submission = find_submission(reply)
    return Turn(
        reply=reply,
        submission=submission,
        public_report=report if submission else None,
        feedback=feedback,
        reward=0.0,
    )


def episode(*turns, problem_id="add-0", seed=0, private_passed=True):
    return Episode(
        problem_id=problem_id,
        seed=seed,
        prompt="Add two numbers.",
        turns=turns,
        reward=1.0,
        private_passed=private_passed,
        ended_by=EndedBy.TESTS_PASSED if private_passed else EndedBy.TURN_LIMIT,
    )


def two_turns(seed=0, **more):
    first = turn(fenced(f"print({seed})"), "Try again.")
    return episode(first, turn(fenced(f"print({seed} + 1)"), report=RIGHT), seed=seed, **more)


def write(path, episodes):
    path.write_text("".join(one.to_json() + "\n" for one in episodes))
    return path


def said(ids):
    return "".join(chr(token) if token else "|" for token in ids)


# What is learned


def test_only_the_last_reply_is_learned_and_all_before_it_is_given():
    example = encode((("q", "a"), ("no", "b")), "p", Chat(), CONFIG)
    ((given, learned),) = example.turns
    assert said(given) == "q|a|no|"
    assert said(learned) == "b|"
    assert (example.num_tokens, example.num_learned) == (9, 2)


def test_all_replies_can_be_learned():
    config = replace(CONFIG, all_replies=True)
    example = encode((("q", "a"), ("no", "b")), "p", Chat(), config)
    assert [(said(given), said(learned)) for given, learned in example.turns] == [
        ("q|", "a|"),
        ("no|", "b|"),
    ]
    assert (example.num_tokens, example.num_learned) == (9, 4)
    assert example.trajectory().value_positions == [1, 6]


def test_prompt_and_feedback_are_cut_as_in_training():
    config = replace(CONFIG, max_prompt_tokens=3, max_feedback_tokens=2)
    example = encode((("12345", "a"), ("678", "b")), "p", Chat(), config)
    assert said(example.trajectory().token_ids) == "345|a|67|b|"


@pytest.mark.sandbox
def test_an_example_is_the_sequence_that_was_played(judge, add_set):
    def answer(prompt, seed):
        return fenced(ADD if "failed the following" in prompt else ADD_WRONG)

    vec = make_vector_env(
        num_envs=1, autoreset_mode="Disabled", dataset=add_set, sandbox=SharedJudge(judge)
    )
    limits = DialogueLimits(max_prompt=2048, max_feedback=1024, max_context=100_000)
    sampling = Sampling(max_new_tokens=1_000)
    engine = RolloutEngine(vec, ScriptedTokens(answer), CharacterChat(), limits, sampling)
    (played,) = play(engine, [Rollout("add-0", 0)])
    vec.close()
    record = played.episode
    messages = [record.prompt, record.turns[0].feedback]
    dialogue = tuple(zip(messages, [t.reply for t in record.turns], strict=True))
    example = encode(dialogue, "add-0", Chat(), replace(CONFIG, all_replies=True))
    assert example.trajectory().token_ids == played.token_ids
    assert example.trajectory().turn_of_token == played.turn_of_token


def test_control_tokens_in_a_reply_are_plain_text(tmp_path):
    chat = chat_format(AutoTokenizer.from_pretrained(save_tiny(tmp_path)))
    ids = chat.reply_ids("print('<|eot_id|>')")
    assert ids.count(chat.stop_ids[0]) == 1
    assert ids[-1] == chat.stop_ids[0]
    assert chat.reply_text(ids) == "print('<|eot_id|>')"


# Repair


@pytest.fixture
def add_problems():
    programs = ["a, b = map(int, input().split())\nif a:\n\tprint(a + b)\nelse:\n\tprint(b)", ADD]
    return ProblemSet.from_problems(
        [add_problem("add-0"), add_problem("none")], reference_programs={"add-0": programs}
    )


def repairs(problems, seed=0):
    dropped: Counter[str] = Counter()
    return RepairDialogues(problems, seed, dropped), dropped


def test_a_repair_goes_from_a_wrong_first_reply_to_a_right_program(add_problems):
    dialogues, dropped = repairs(add_problems)
    first = turn(fenced(ADD_WRONG), "Your code failed.")
    made = [dialogues.dialogue(episode(first, turn("x"), seed=seed)) for seed in range(20)]
    assert {one[0] for one in made} == {("Add two numbers.", fenced(ADD_WRONG))}
    assert {one[1][0] for one in made} == {"Your code failed."}
    programs = {find_submission(one[1][1]).source_code for one in made}
    unified = "a, b = map(int, input().split())\nif a:\n    print(a + b)\nelse:\n    print(b)\n"
    assert programs == {unified, ADD + "\n"}
    assert not dropped
    again, _ = repairs(add_problems)
    assert made == [again.dialogue(episode(first, turn("x"), seed=seed)) for seed in range(20)]


def test_feedback_of_single_turn_episodes_is_made_from_their_report(add_problems):
    dialogues, _ = repairs(add_problems)
    only = episode(turn(fenced(ADD_WRONG)), private_passed=False)
    _, (feedback, _) = dialogues.dialogue(only)
    assert feedback.startswith(
        "Your code failed the following tests:\n\n"
        "- input `2 2\n` failed:\nExpected output `4\n` but got `3\n`\n\nGive it another try."
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (episode(turn("I do not know.")), "have no program in the first reply"),
        (episode(turn(fenced("x"), report=None)), "did not run public tests in the first turn"),
        (episode(turn(fenced(ADD), report=RIGHT)), "passed the public tests at once"),
        (two_turns(problem_id="other"), "are of problems that the dataset lacks"),
        (two_turns(problem_id="none"), "are of problems without a right program"),
    ],
)
def test_what_gives_no_repair_is_counted_by_reason(add_problems, given, reason):
    dialogues, dropped = repairs(add_problems)
    assert dialogues.dialogue(given) is None
    assert dropped == {reason: 1}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if x:\n\ty\n", "if x:\n    y\n"),
        ("if x:\n  y\n  if z:\n      w\nv\n", "if x:\n    y\n    if z:\n        w\nv\n"),
        ("if x:\n  f(1,\n    2)\n", "if x:\n    f(1,\n      2)\n"),
        ("if x:\n\ty = '''a\n\tb'''\n", "if x:\n    y = '''a\n\tb'''\n"),
        ("if x:\n\ty = f'''{a}\n\tb'''\n", "if x:\n    y = f'''{a}\n\tb'''\n"),
        ("if x:\n  # why\n  y\n", "if x:\n    # why\n    y\n"),
        ("if x:\n  y\n  # end\nz  # one\n", "if x:\n    y\n    # end\nz  # one\n"),
        ("if x:\n  y\n# then\nz\n  # last\n", "if x:\n    y\n# then\nz\n# last\n"),
        ("f(\n  # in\n  1)\n", "f(\n  # in\n  1)\n"),
        ("def f():\n return 1\n\n\n\nf()\n", "def f():\n    return 1\n\n\n\nf()\n"),
        ("if x: y\nelse: z", "if x: y\nelse: z"),
        ("if x:\n  y = 1 + \\\n  2\n", "if x:\n    y = 1 + \\\n    2\n"),
        ("print 'Python 2'\n", "print 'Python 2'\n"),
        ("if x:\n  y\n   z\n", "if x:\n  y\n   z\n"),  # no program
        ("", ""),
    ],
)
def test_every_level_is_indented_by_four_spaces(source, expected):
    assert unify_indentation(source) == expected


@pytest.mark.parametrize(
    "path", sorted(Path(agents.__file__).parent.glob("*.py")), ids=lambda p: p.name
)
def test_indentation_of_whole_files_is_unified_without_a_change_of_meaning(path):
    source = path.read_text()
    for unit in ("\t", "  "):
        lines = []
        for line in source.splitlines(keepends=True):
            text = line.lstrip(" ")
            lines.append(unit * ((len(line) - len(text)) // 4) + text)
        other = "".join(lines)
        unified = unify_indentation(other)
        assert ast.dump(ast.parse(unified)) == ast.dump(ast.parse(other))
        assert statements(unified) == statements(source)
        if unit == "\t":
            assert unified.expandtabs(4) == source  # tabs are left within quotes only


def statements(source):
    """Where they begin."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return [(node.lineno, node.col_offset) for node in nodes]


# Settings


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"mode": "repairs"}, "mode='repairs' is none of success, repair"),
        ({"precision": "half"}, "precision='half'"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"warmup_steps": -1}, "warmup_steps=-1 must not be negative"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be positive"),
        ({"max_context_tokens": 1}, "max_context_tokens=1 has no room"),
        ({"mode": "repair"}, "give dataset or path"),
        ({"split": "train"}, "are for mode='repair'"),
        ({"mode": "repair", "dataset": "bundled", "all_replies": True}, "leave all_replies out"),
    ],
)
def test_settings_are_checked(more, message):
    with pytest.raises(ConfigError) as info:
        replace(CONFIG, **more)
    assert message in str(info.value)


def test_the_rate_rises_as_a_line_and_falls_as_a_cosine():
    rates = [rate_fraction(step, 2, 6) for step in range(6)]
    # up 1/2, 2/2; then (1 + cos(pi k / 4)) / 2 for k = 0 to 3
    cosine = 2**-0.5
    expected = [0.5, 1.0, 1.0, (1 + cosine) / 2, 0.5, (1 - cosine) / 2]
    assert rates == pytest.approx(expected)
    assert rate_fraction(0, 0, 1) == 1.0


# Training


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def tune(tmp_path, model):
    """Fine-tune the tiny model on episodes; returns settings, metrics and the folder."""
    count = iter(range(100))

    def run(episodes, **more):
        config = SFTConfig(
            **{"model": str(model), "out": tmp_path / f"out-{next(count)}", "batch_size": 4}
            | {"precision": "float32", "max_context_tokens": 512, "max_tokens_per_pass": 2048}
            | {"num_epochs": 1, "learning_rate": 3e-3, "warmup_steps": 0, "weight_decay": 0.0}
            | more
        )
        folder = fine_tune(config, [write(tmp_path / "episodes.jsonl", episodes)])
        lines = (config.out / "metrics.jsonl").read_text().splitlines()
        return folder, [json.loads(line) for line in lines]

    return run


def mean_loss(folder, tokenizer_folder, episodes):
    """Of the last replies' tokens, by the plain model, one episode at a time."""
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    chat = chat_format(AutoTokenizer.from_pretrained(tokenizer_folder))
    losses = []
    for one in episodes:
        ids, reply = chat.prompt_ids(one.prompt, 2048), []
        for number, each in enumerate(one.turns):
            if number:
                before = one.turns[number - 1].feedback
                ids += chat.feedback_ids(before, last_reply_ids=reply, max_tokens=1024)
            reply = chat.reply_ids(each.reply)
            ids += reply
        with torch.no_grad():
            logprobs = network(torch.tensor([ids])).logits[0].log_softmax(-1)
        places = range(len(ids) - len(reply), len(ids))
        losses += [-float(logprobs[place - 1, ids[place]]) for place in places]
    return float(np.mean(losses))


def weights(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()


def test_the_loss_is_the_mean_over_the_tokens_of_last_replies(tune, model):
    episodes = [two_turns(seed) for seed in (0, 100_000, 2)]
    _, (metrics,) = tune(episodes)
    assert metrics["loss"] == pytest.approx(mean_loss(model, model, episodes), rel=1e-5)


def test_a_model_learns_the_replies_and_is_written_with_its_tokenizer(tune):
    episodes = [two_turns(seed) for seed in range(4)]
    folder, metrics = tune(episodes, num_epochs=30)
    assert [entry["step"] for entry in metrics] == list(range(1, 31))
    assert metrics[-1]["epoch"] == 30
    assert metrics[-1]["loss"] < 0.3 * metrics[0]["loss"]
    assert mean_loss(folder, folder, episodes) < 0.3 * metrics[0]["loss"]
    rates = [entry["learning_rate"] for entry in metrics]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 3e-3
    assert folder.name == "final"


def test_unsuccessful_and_long_episodes_are_dropped_and_counted(tune, capsys):
    long = episode(turn(fenced("x = '" + "ab" * 600 + "'")))
    failed = two_turns(private_passed=False)
    _, metrics = tune([two_turns(1), failed, long, failed])
    assert "1 examples of 4 episodes; 2 did not solve their problem; 1 are longer" in (
        capsys.readouterr().err
    )
    _, alone = tune([two_turns(1)])
    assert [entry["loss"] for entry in alone] == [entry["loss"] for entry in metrics]


def test_gradients_over_several_passes_are_those_of_one(tune):
    episodes = [two_turns(seed, problem_id=f"{seed}") for seed in (1, 20, 300, 4000)]
    one, _ = tune(episodes, learning_rate=1e-3, max_tokens_per_pass=4096, max_context_tokens=128)
    many, _ = tune(episodes, learning_rate=1e-3, max_tokens_per_pass=128, max_context_tokens=128)
    assert len(trainer.split_by_tokens([100] * 4, 128)) == 4  # as long as these are
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(many)[name], tensor, rtol=1e-4, atol=1e-5)


def test_learning_all_replies_is_something_else(tune):
    _, (last,) = tune([two_turns()])
    _, (both,) = tune([two_turns()], all_replies=True)
    assert both["num_tokens"] == last["num_tokens"]
    assert both["num_learned_tokens"] > last["num_learned_tokens"]
    assert both["loss"] != last["loss"]


def test_adapters_are_merged_into_what_is_written(tune, model):
    episodes = [two_turns(seed) for seed in range(4)]
    folder, metrics = tune(episodes, lora_rank=4, num_epochs=20, learning_rate=1e-2)
    assert mean_loss(folder, folder, episodes) < 0.8 * metrics[0]["loss"]
    before, after = weights(model), weights(folder)
    assert before.keys() == after.keys()
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])


def test_order_and_result_are_functions_of_the_seed(tune):
    episodes = [two_turns(seed) for seed in range(5)]
    runs = [tune(episodes, batch_size=2, seed=seed) for seed in (0, 0, 1)]
    losses = [[entry["loss"] for entry in metrics] for _, metrics in runs]
    assert [len(of_run) for of_run in losses] == [3, 3, 3]  # the last step has one example
    assert losses[0] == losses[1] != losses[2]
    first, second = (weights(folder) for folder, _ in runs[:2])
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_copies_are_kept_on_the_way(tune):
    folder, _ = tune([two_turns(seed) for seed in range(3)], batch_size=1, save_every=2)
    step = folder.parent / "step-000002"
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        *("config.json", "final", "metrics.jsonl", "step-000002")
    ]
    name = "model.embed_tokens.weight"
    assert not torch.equal(weights(step)[name], weights(folder)[name])
    assert AutoTokenizer.from_pretrained(step).encode("a")


def test_a_loss_that_is_no_number_ends_the_run_and_nothing_is_written(tune, tmp_path):
    with pytest.raises(TrainingError, match=r"step \d+: .*not finite"):
        tune([two_turns(seed) for seed in range(4)], learning_rate=1e30, num_epochs=3)
    assert not list(tmp_path.glob("out-*/final"))


def test_a_full_disk_says_so(tune, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer.Networks, "save_policy", full)
    with pytest.raises(CheckpointError, match=r"final could not be written.*No space left"):
        tune([two_turns()])


def test_processes_share_a_batch_and_run_equally_many_passes():
    def example(length):
        return Example("p", ((np.ones(length - 1, np.int32), np.ones(1, np.int32)),))

    class Processes:
        num_processes = 2

        def __init__(self, rank):
            self.process_index = rank

    batch = [example(length) for length in (50, 10, 60, 40, 30)]
    mine, other = (trainer._passes(batch, 60, Processes(rank)) for rank in (0, 1))
    # by length 60, 50, 40, 30, 10: one gets 60, 40, 10, the other 50, 30
    assert mine == [([2], False), ([3, 1], False)]
    assert other == [([0], False), ([4], False)]
    mine, other = (trainer._passes(batch[:1], 60, Processes(rank)) for rank in (0, 1))
    assert (mine, other) == ([([0], False)], [([0], True)])


def work(rank, folder, port, options, file):
    torch.set_num_threads(1)
    environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, str(value))
        dist.init_process_group("gloo")
        fine_tune(SFTConfig(**options, out=folder), [file])
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, model):
    episodes = [two_turns(seed) for seed in (1, 20, 300, 4000, 50000)]
    file = write(tmp_path / "episodes.jsonl", episodes)
    options = {"model": str(model), "precision": "float32", "max_context_tokens": 128}
    # Five examples in steps of three, a pass each: 2 and 1 passes, then 1 and 1.
    options |= {"batch_size": 3, "max_tokens_per_pass": 128, "num_epochs": 2, "warmup_steps": 0}
    options |= {"learning_rate": 1e-3}
    fine_tune(SFTConfig(**options, out=tmp_path / "one"), [file])
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    mp.spawn(work, (tmp_path / "two", port, options, file), nprocs=2)
    metrics = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for one, two in zip(*metrics, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
    after = weights(tmp_path / "two" / "final")
    for name, tensor in weights(tmp_path / "one" / "final").items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-3, atol=2e-4)


# The command line

ROW = {
    "name": "adding",
    "description": "Add.",
    "public_tests": {"input": ["1 2\n", "2 2\n"], "output": ["3\n", "4\n"]},
    "private_tests": {"input": ["4 5\n"], "output": ["9\n"]},
    "generated_tests": {"input": [], "output": []},
    "solutions": {"language": [3], "solution": [ADD]},
    "incorrect_solutions": {"language": [], "solution": []},
}


@pytest.fixture
def command(tmp_path, model):
    """``python -m agents sft`` with the tiny model."""

    def run(*arguments):
        options = ["--model", str(model), "--out", str(tmp_path / "out"), "--precision", "float32"]
        options += ["--max-context-tokens", "512", "--max-tokens-per-pass", "1024"]
        return main(["sft", *options, *map(str, arguments)])

    return run


def test_the_command_line_takes_several_files(tmp_path, command, capsys):
    files = [write(tmp_path / f"{seed}.jsonl", [two_turns(seed)]) for seed in (1, 2)]
    assert command("--num-epochs", 1, *files) == 0
    shown = capsys.readouterr()
    assert str(tmp_path / "out" / "final") in shown.out
    assert "2 examples of 2 episodes" in shown.err
    (line,) = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 1
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_epochs"] == 1


def test_the_command_line_makes_a_repair_model(tmp_path, command, capsys):
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(ROW) + "\n")
    wrong = episode(turn(fenced(ADD_WRONG)), problem_id="adding", private_passed=False)
    file = write(tmp_path / "episodes.jsonl", [wrong, two_turns(problem_id="other")])
    assert command("--mode", "repair", "--path", data, file) == 0
    assert "1 examples of 2 episodes; 1 are of problems that the dataset lacks" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("episodes", "arguments", "message"),
    [
        ([two_turns(private_passed=False)], [], "nothing to learn from: 0 examples of 1 episodes"),
        ([two_turns()], ["--max-context-tokens", "9"], "longer than max_context_tokens=9"),
        ([two_turns()], ["--max-context-tokens", "600"], "has a context of 512 tokens"),
        ([two_turns()], ["--max-tokens-per-pass", "8"], "max_tokens_per_pass=8 is less than"),
        ([two_turns()], ["--model", "./nowhere"], "model='./nowhere' is no folder"),
        ([two_turns()], ["--chat", "qwen"], "try chat='plain'"),
        ([], ["./missing.jsonl"], "missing.jsonl cannot be read"),
    ],
)
def test_errors_come_before_training_and_say_what_to_change(
    tmp_path, command, capsys, episodes, arguments, message
):
    file = write(tmp_path / "episodes.jsonl", episodes)
    assert command(*arguments, file) == 2
    error = capsys.readouterr().err
    assert error.startswith("agents: error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_lines_that_are_no_records_are_named(tmp_path, command, capsys):
    file = tmp_path / "episodes.jsonl"
    file.write_text('{"a": 1}\n')
    assert command(file) == 2
    assert "episodes.jsonl, line 1: not an episode record" in capsys.readouterr().err


def test_an_earlier_run_is_not_overwritten(tmp_path, command, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metrics.jsonl").write_text("precious")
    assert command(write(tmp_path / "episodes.jsonl", [two_turns()])) == 2
    assert "give another out" in capsys.readouterr().err
    assert (tmp_path / "out" / "metrics.jsonl").read_text() == "precious"


def test_records_do_not_hold_the_thoughts_of_thinking_models():
    chat = Chat()
    chat.thinks = True
    with pytest.raises(ConfigError, match="which records do not hold"):
        make_examples(CONFIG, [], chat)

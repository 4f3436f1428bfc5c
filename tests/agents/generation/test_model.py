import json
import subprocess
import sys
from pathlib import Path

import pytest
from examples import ADD, ADD_WRONG, SharedJudge, fenced
from scripted_tokens import CharacterChat, ScriptedTokens

import codefeedback_env
from agents.__main__ import main
from agents.evaluate import Rollout as EvaluationRollout
from agents.evaluate import play as evaluate_play
from agents.generation.base import Conversation
from agents.generation.model import (
    ModelPolicy,
    ModelSettings,
    WithRepair,
    load_chat,
    load_model_policy,
)
from agents.generation.tokens import GeneratorError
from agents.ppo.rollout import DialogueLimits, Rollout, RolloutEngine
from agents.ppo.rollout import play as engine_play
from codefeedback_env import ConfigError, read_episodes
from codefeedback_env.make import make_vector_env

SETTINGS = ModelSettings(
    model="m", max_prompt_tokens=2_000, max_feedback_tokens=1_000, max_context_tokens=20_000
)


class Chat(CharacterChat):
    """Also encodes replies of others."""

    def reply_ids(self, text):
        return [ord(character) for character in text] + [0]


class Tokens(ScriptedTokens):
    """Notes what it is told to forget."""

    def __init__(self, answer, **options):
        super().__init__(answer, **options)
        self.forgotten = []
        self.is_closed = False

    def forget(self, dialogues):
        dialogues = list(dialogues)
        self.forgotten += dialogues
        super().forget(dialogues)

    def close(self):
        self.is_closed = True


def conversation(*texts, seed=0, problem_id="p"):
    roles = ["user", "assistant"] * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return Conversation(problem_id=problem_id, seed=seed, messages=tuple(messages))


def echo(prompt, seed):
    return f"to {prompt.count(chr(0))}: {prompt.rstrip(chr(0)).rpartition(chr(0))[2]}"


def ids(text):
    return [0 if character == "|" else ord(character) for character in text]


def test_replies_come_in_the_order_of_the_conversations():
    policy = ModelPolicy(Tokens(echo, tokens_per_step=3), Chat(), SETTINGS)
    asked = [conversation(text, seed=n) for n, text in enumerate(["a" * 9, "b", "c" * 5])]
    assert policy.reply(asked) == ["to 1: aaaaaaaaa", "to 1: b", "to 1: ccccc"]
    assert policy.caveats == []


def test_a_later_turn_goes_on_with_the_tokens_that_were_sampled():
    tokens = Tokens(lambda prompt, seed: "ab" if prompt.count("\0") == 1 else "c")

    class Lossy(Chat):
        """Its text is not what was sampled, and encoding it again gives other tokens."""

        def reply_text(self, reply_ids):
            return super().reply_text(reply_ids).upper()

    policy = ModelPolicy(tokens, Lossy(), SETTINGS)
    first = conversation("question")
    (said,) = policy.reply([first])
    assert said == "AB"
    second = first.followed_by("assistant", said).followed_by("user", "no")
    assert policy.reply([second]) == ["C"]
    third = second.followed_by("assistant", "C").followed_by("user", "no")
    policy.reply([third])
    assert [list(request.prompt_ids) for request in tokens.requests] == [
        ids("question|"),
        ids("question|ab|no|"),
        ids("question|ab|no|c|no|"),
    ]
    assert len({request.dialogue for request in tokens.requests}) == 1


def test_replies_of_others_are_encoded_from_their_text():
    tokens = Tokens(lambda prompt, seed: "x")
    policy = ModelPolicy(tokens, Chat(), SETTINGS)
    policy.reply([conversation("question", "guess", "no")])
    policy.reply([conversation("question", "another", "no")])
    assert [list(request.prompt_ids) for request in tokens.requests] == [
        ids("question|guess|no|"),
        ids("question|another|no|"),
    ]
    assert tokens.requests[0].dialogue != tokens.requests[1].dialogue
    assert tokens.forgotten == [tokens.requests[0].dialogue]


def test_seeds_differ_between_episodes_and_turns_and_are_the_same_in_the_next_run():
    def seeds():
        tokens = Tokens(lambda prompt, seed: "x")
        policy = ModelPolicy(tokens, Chat(), SETTINGS)
        policy.reply([conversation("q", seed=1), conversation("q", seed=2)])
        policy.reply([conversation("q", "x", "no", seed=1)])
        return [request.seed for request in tokens.requests]

    assert len(set(seeds())) == 3
    assert seeds() == seeds()


def test_the_same_conversation_twice_has_the_same_reply():
    tokens = Tokens(echo)
    policy = ModelPolicy(tokens, Chat(), SETTINGS)
    assert policy.reply([conversation("q"), conversation("q")]) == ["to 1: q"] * 2
    assert len(tokens.requests) == 1


def test_replies_cut_at_the_limit_are_counted():
    settings = ModelSettings(model="m", max_reply_tokens=4)
    policy = ModelPolicy(Tokens(lambda prompt, seed: prompt[:-1]), Chat(), settings)
    assert policy.reply([conversation("long text"), conversation("abc", seed=1)]) == ["long", "abc"]
    assert policy.caveats == ["1 of 2 replies were cut off at the length limit"]


def test_a_reply_gets_what_is_left_of_the_context_and_nothing_where_nothing_is_left():
    settings = ModelSettings(
        model="m", max_prompt_tokens=10, max_reply_tokens=10, max_context_tokens=20
    )
    tokens = Tokens(lambda prompt, seed: "y" * 100)
    policy = ModelPolicy(tokens, Chat(), settings)
    asked = [conversation("1234", "5678", "12345", seed=0), conversation("1", "2" * 15, "345")]
    # 4 + 1, 4 + 1, 5 + 1 tokens leave 4 of 20; 1 + 1, 15 + 1, 3 + 1 are more than there are
    assert policy.reply(asked[:1]) == ["yyyy"]
    assert policy.reply(asked[1:]) == [""]
    assert [request.sampling.max_new_tokens for request in tokens.requests] == [4]
    assert "1 replies are empty: the dialogue filled the 20 tokens of context" in policy.caveats


def test_long_prompts_and_feedback_are_cut():
    settings = ModelSettings(model="m", max_prompt_tokens=3, max_feedback_tokens=2)
    tokens = Tokens(lambda prompt, seed: "x")
    ModelPolicy(tokens, Chat(), settings).reply([conversation("12345", "a", "6789")])
    assert list(tokens.requests[0].prompt_ids) == ids("345|a|67|")


def test_dialogues_that_ended_are_forgotten_in_time():
    tokens = Tokens(lambda prompt, seed: "x")
    policy = ModelPolicy(tokens, Chat(), SETTINGS, max_dialogues=2)
    for seed in (0, 1):
        policy.reply([conversation("q", seed=seed)])
    policy.reply([conversation("q", "x", "no", seed=0)])
    policy.reply([conversation("q", seed=2)])
    assert tokens.forgotten == [tokens.requests[1].dialogue]  # of seed 1, asked longest ago
    policy.reply([conversation("q", "x", "no", seed=1)])  # comes back all the same
    assert list(tokens.requests[-1].prompt_ids) == ids("q|x|no|")


def test_a_broken_model_is_an_error():
    policy = ModelPolicy(Tokens(echo, break_at_step=1), Chat(), SETTINGS)
    with pytest.raises(GeneratorError):
        policy.reply([conversation("q")])


def test_a_context_longer_than_the_generators_is_refused():
    tokens = Tokens(echo)
    tokens.max_context = 1_000
    with pytest.raises(ConfigError, match="max_context_tokens=20000 is more than the 1000"):
        ModelPolicy(tokens, Chat(), SETTINGS)


def test_repairs_are_independent_samples_after_the_first_reply_and_its_feedback():
    first, repair = Tokens(lambda prompt, seed: "guess"), Tokens(lambda prompt, seed: f"r{seed}")
    policy = WithRepair(ModelPolicy(first, Chat(), SETTINGS), ModelPolicy(repair, Chat(), SETTINGS))
    after_one = conversation("q", "guess", "no", seed=1)
    (tried,) = policy.reply([after_one])
    after_two = after_one.followed_by("assistant", tried).followed_by("user", "no again")
    replies = policy.reply([conversation("p", seed=2), after_two, conversation("r", seed=3)])
    assert replies[0] == replies[2] == "guess"
    assert replies[1].startswith("r")
    assert replies[1] != tried
    assert [list(r.prompt_ids) for r in first.requests] == [ids("p|"), ids("r|")]
    assert [list(r.prompt_ids) for r in repair.requests] == [ids("q|guess|no|")] * 2
    policy.close()
    assert first.is_closed
    assert repair.is_closed


def test_caveats_say_which_model_they_are_about():
    settings = ModelSettings(model="m", max_reply_tokens=1)
    models = [ModelPolicy(Tokens(echo), Chat(), settings) for _ in range(2)]
    policy = WithRepair(*models)
    policy.reply([conversation("q")])
    assert policy.caveats == ["first model: 1 of 1 replies were cut off at the length limit"]


@pytest.mark.sandbox
def test_a_model_plays_as_it_does_in_training(judge, add_set):
    """Same prompts, seeds and limits, token by token, as the engine that collects rollouts."""

    def answer(prompt, seed):
        return "." * (seed % 50) + fenced(ADD if "failed the following" in prompt else ADD_WRONG)

    chosen = [(f"add-{n % 3}", n) for n in range(6)]
    requests = []
    for is_engine in (True, False):
        tokens = Tokens(answer)
        vec = make_vector_env(
            num_envs=3, autoreset_mode="Disabled", dataset=add_set, sandbox=SharedJudge(judge)
        )
        if is_engine:
            limits = DialogueLimits(max_prompt=2_000, max_feedback=1_000, max_context=20_000)
            engine = RolloutEngine(vec, tokens, CharacterChat(), limits, SETTINGS.sampling)
            list(engine_play(engine, [Rollout(*pair) for pair in chosen]))
        else:
            policy = ModelPolicy(tokens, Chat(), SETTINGS)
            list(evaluate_play(vec, [EvaluationRollout(*pair) for pair in chosen], policy))
        vec.close()
        requests.append({(r.seed, tuple(r.prompt_ids), r.sampling) for r in tokens.requests})
    assert requests[0] == requests[1]
    assert len(requests[0]) == 12


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"generator": "vlm"}, "generator='vlm' is none of torch, vllm"),
        ({"precision": "half"}, "precision='half' is none of"),
        ({"max_reply_tokens": 0}, "max_reply_tokens=0 must be at least 1"),
        ({"max_context_tokens": 4000}, "has no room for a prompt of 2048 and a reply of 2048"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"top_p": 0.0}, "top_p=0.0"),
    ],
)
def test_settings_are_checked(more, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        ModelSettings(**{"model": "m", **more})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agent", "model"], "--agent model needs --model"),
        (["--agent", "no-code", "--top-p", "0.5"], "--top-p is for --agent model; leave it out"),
        (["--agent", "model", "--model", "./nowhere"], "model='./nowhere' is no folder"),
    ],
)
def test_wrong_options_of_a_model_end_with_a_message(tmp_path, capsys, arguments, message):
    pytest.importorskip("torch")
    assert main(["evaluate", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.sandbox
def test_scripted_agents_need_no_torch(tmp_path):
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'tokenizers', 'accelerate', 'peft', 'vllm'):\n"
        "    sys.modules[name] = None\n"
        "from agents.__main__ import main\n"
        f"raise SystemExit(main(['evaluate', '--agent', 'no-code', '--num-problems', '1', "
        f"'--out', {str(tmp_path / 'out')!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(codefeedback_env.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["model"] is None
    assert summary["versions"].keys().isdisjoint({"torch", "transformers"})


TINY = ("--max-prompt-tokens", "64", "--max-feedback-tokens", "64", "--max-reply-tokens", "12")
TINY += ("--max-context-tokens", "384", "--precision", "float32", "--temperature", "1.0")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two tiny models with their tokenizers."""
    torch = pytest.importorskip("torch")
    tiny_models = pytest.importorskip("tiny_models")
    torch.set_num_threads(1)
    return [
        tiny_models.save_tiny(tmp_path_factory.mktemp("model") / f"tiny-{seed}", seed=seed)
        for seed in (0, 1)
    ]


@pytest.fixture
def make_policy(folders):
    made = []

    def make(num_conversations=8, **more):
        settings = ModelSettings(
            model=str(folders[0]),
            precision="float32",
            temperature=1.0,
            max_prompt_tokens=64,
            max_feedback_tokens=64,
            max_reply_tokens=12,
            max_context_tokens=384,
            **more,
        )
        made.append(load_model_policy(settings, num_conversations))
        return made[-1]

    yield make
    for policy in made:
        policy.close()


def test_a_reply_does_not_depend_on_who_else_is_asked(make_policy):
    asked = [conversation(f"Write a program. {n}", seed=n) for n in range(5)]
    together = make_policy().reply(asked)
    policy = make_policy(num_conversations=1)
    assert [policy.reply([one])[0] for one in asked] == together
    assert len(set(together)) == 5


def test_the_second_model_writes_the_repairs(make_policy, folders):
    asked = [conversation("Write a program.", seed=1)]
    later = [conversation("Write a program.", "print(1)", "Wrong.", seed=1)]
    alone, pair = make_policy(), make_policy(repair_model=str(folders[1]))
    assert pair.reply(asked) == alone.reply(asked)
    assert pair.reply(later) != alone.reply(later)


@pytest.mark.parametrize(("repair", "share"), [(None, 0.9), ("same", 0.45)])
def test_vllm_gets_what_was_asked_for_and_two_models_share_the_memory(
    folders, monkeypatch, repair, share
):
    made = []

    class Recorder(Tokens):
        def __init__(self, model, **options):
            super().__init__(echo)
            made.append((model, options))

    monkeypatch.setattr("agents.generation.vllm_.VllmGenerator", Recorder)
    folder = str(folders[0])
    settings = ModelSettings(
        model=folder, repair_model=repair and folder, generator="vllm", max_context_tokens=5000
    )
    load_model_policy(settings, 7).close()
    stop_ids = load_chat(folder, "auto").stop_ids
    options = {"max_context": 5000, "dtype": "bfloat16", "max_batch": 7, "memory_fraction": share}
    assert made == [(folder, {"stop_ids": stop_ids, **options})] * (2 if repair else 1)


def test_a_second_model_that_cannot_be_loaded_closes_the_first(folders, monkeypatch):
    closed = []
    monkeypatch.setattr(
        "agents.generation.torch_.TorchGenerator.close", lambda tokens: closed.append(tokens)
    )
    settings = ModelSettings(
        model=str(folders[0]),
        repair_model="./nowhere",
        max_prompt_tokens=64,
        max_reply_tokens=12,
        max_context_tokens=384,
    )
    with pytest.raises(ConfigError, match="nowhere"):
        load_model_policy(settings, 1)
    assert len(closed) == 1


def test_a_model_that_breaks_down_ends_the_command_with_a_message(monkeypatch, capsys, tmp_path):
    def run(options, arguments):
        raise GeneratorError("the engine is gone")

    monkeypatch.setattr("agents.evaluate.run", run)
    assert main(["evaluate", "--agent", "model", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "agents: error: the engine is gone\n"


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ConfigError, match="has no tokenizer that can be loaded"):
        load_chat(str(tmp_path), "auto")


@pytest.mark.sandbox
def test_the_command_line_evaluates_a_model_and_says_which(tmp_path, folders, capsys):
    arguments = ["--agent", "model", "--model", str(folders[0]), *TINY]
    arguments += ["--repair-model", str(folders[1]), "--num-problems", "2", "--rollouts", "2"]
    results = []
    for name, num_envs in (("a", "4"), ("b", "1")):
        out = tmp_path / name
        more = ["--num-envs", num_envs, "--out", str(out)]
        assert main(["evaluate", *arguments, *more]) == 0
        results.append(
            {e.seed: [t.reply for t in e.turns] for e in read_episodes(out / "episodes.jsonl")}
        )
    assert results[0] == results[1]
    assert len(results[0]) == 4
    assert all(len(set(replies)) == 3 for replies in results[0].values())
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["agent"] == "model"
    assert summary["model"]["model"] == str(folders[0])
    assert summary["model"]["repair_model"] == str(folders[1])
    assert summary["model"]["temperature"] == 1.0
    assert summary["versions"]["torch"]
    assert summary["num_rollouts"] == 4
    assert any("length limit" in caveat for caveat in summary["caveats"])
    shown = capsys.readouterr().out
    assert "repair model" in shown

"""Backends of prompting agents without a server: a model in this process, and scripts."""

import pytest
from scripted_tokens import CharacterChat, ScriptedTokens

from agents.generation.chat import ChatRequest, spent
from agents.generation.chat_scripted import ScriptedBackend, read_script
from agents.generation.chat_tokens import TokenBackend, load_token_backend
from agents.generation.model import ModelSettings
from agents.generation.tokens import GeneratorError, Sampling
from codefeedback_env import ConfigError

SETTINGS = ModelSettings(
    model="m", max_prompt_tokens=2_000, max_feedback_tokens=1_000, max_context_tokens=20_000
)


class Chat(CharacterChat):
    """Also encodes replies of others; text in upper case, so that it is not what was sampled."""

    def reply_ids(self, text):
        return [*map(ord, text), 0]

    def reply_text(self, reply_ids):
        return super().reply_text(reply_ids).upper()


class Tokens(ScriptedTokens):
    """Notes what it is told to forget."""

    def __init__(self, answer, **options):
        super().__init__(answer, **options)
        self.forgotten = []

    def forget(self, dialogues):
        self.forgotten += dialogues
        super().forget(dialogues)


def request(*texts, **more):
    roles = ["user", "assistant"] * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return ChatRequest(
        messages=tuple(messages), **{"seed": 0, "sampling": Sampling(max_new_tokens=100), **more}
    )


def prompts(tokens):
    return ["".join(chr(i) for i in r.prompt_ids).replace("\0", "|") for r in tokens.requests]


def echo(prompt, seed):
    return prompt.rstrip("\0").rpartition("\0")[2] + str(seed)


def test_completions_come_in_order_with_tokens_and_counts():
    backend = TokenBackend(Tokens(echo, tokens_per_step=2), Chat(), SETTINGS)
    long, short = backend.complete([request("a" * 9, wants_logprobs=True), request("b", seed=1)])
    assert (long.text, short.text) == ("AAAAAAAAA0", "B1")
    assert short.token_ids == (ord("b"), ord("1"), 0)
    assert short.logprobs is None
    assert long.logprobs == (-1.0,) * 11
    assert spent(backend) == {
        "num_requests": 2,
        "num_prompt_tokens": 10 + 2,
        "num_completion_tokens": 11 + 3,
        "num_retries": 0,
        "cost": None,
    }


def test_a_dialogue_goes_on_with_the_tokens_that_were_sampled():
    tokens = Tokens(lambda prompt, seed: "ab")
    backend = TokenBackend(tokens, Chat(), SETTINGS)
    backend.complete([request("q", dialogue="d")])
    backend.complete([request("q", "AB", "no", dialogue="d")])
    assert prompts(tokens) == ["q|", "q|ab|no|"]
    assert len({r.dialogue for r in tokens.requests}) == 1
    backend.complete([request("q", "other", "no", dialogue="d")])
    assert prompts(tokens)[-1] == "q|other|no|"
    assert tokens.forgotten == [tokens.requests[0].dialogue]


def test_requests_of_no_dialogue_are_forgotten_when_done_and_draw_apart():
    tokens = Tokens(echo)
    backend = TokenBackend(tokens, Chat(), SETTINGS)
    texts = [c.text for c in backend.complete([request("q", seed=n) for n in (5, 6, 5)])]
    assert texts == ["Q5", "Q6", "Q5"]
    assert sorted(tokens.forgotten) == sorted(r.dialogue for r in tokens.requests)


def test_two_requests_of_one_dialogue_at_once_do_not_disturb_each_other():
    backend = TokenBackend(Tokens(echo), Chat(), SETTINGS)
    asked = [request("q", dialogue="d", seed=1), request("q", dialogue="d", seed=2)]
    assert [c.text for c in backend.complete(asked)] == ["Q1", "Q2"]


def test_token_ids_may_be_the_prompt():
    tokens = Tokens(echo)
    asked = ChatRequest(prompt_ids=(ord("x"), 0), seed=4, sampling=Sampling())
    (completion,) = TokenBackend(tokens, Chat(), SETTINGS).complete([asked])
    assert completion.text == "X4"
    assert prompts(tokens) == ["x|"]


def test_a_stop_text_ends_the_text():
    backend = TokenBackend(Tokens(lambda prompt, seed: "one two three"), Chat(), SETTINGS)
    (completion,) = backend.complete([request("q", stop=("THREE", " TW"))])
    assert completion.text == "ONE"
    assert not completion.is_cut


def test_cut_completions_and_prompts_without_room_are_counted():
    settings = ModelSettings(
        model="m", max_prompt_tokens=10, max_reply_tokens=10, max_context_tokens=20
    )
    tokens = Tokens(lambda prompt, seed: "y" * 50)
    backend = TokenBackend(tokens, Chat(), settings)
    # 4 + 1, 4 + 1 and 5 + 1 tokens leave 4 of 20; 1 + 1, 15 + 1 and 3 + 1 are more than there are
    cut, empty = backend.complete([request("1234", "5678", "12345"), request("1", "2" * 15, "345")])
    assert (cut.text, cut.is_cut, empty.text) == ("YYYY", True, "")
    assert backend.caveats == [
        "1 of 1 completions were cut off at the length limit",
        "1 completions are empty: the prompt filled the context",
    ]


def test_completions_can_be_collected_one_by_one_and_cancelled():
    tokens = Tokens(lambda prompt, seed: "x" * len(prompt), tokens_per_step=1)
    backend = TokenBackend(tokens, Chat(), SETTINGS)
    short, long, gone = backend.submit([request("1"), request("1" * 30), request("1" * 9)])
    backend.cancel([gone])
    assert [ticket for ticket, _ in backend.collect()] == [short]
    assert backend.collect(timeout_s=0.0) == []
    with pytest.raises(GeneratorError, match="1 completions under way"):
        backend.complete([request("q")])
    assert [ticket for ticket, _ in backend.collect()] == [long]
    assert backend.num_unfinished == 0
    assert backend.collect() == []


def test_a_model_that_breaks_leaves_nothing_under_way():
    backend = TokenBackend(Tokens(echo, break_at_step=1), Chat(), SETTINGS)
    with pytest.raises(GeneratorError, match="broken"):
        backend.complete([request("q")])
    assert backend.num_unfinished == 0


def test_a_problem_after_an_empty_reply_may_be_as_long_as_a_prompt():
    settings = ModelSettings(model="m", max_prompt_tokens=6, max_feedback_tokens=2)
    tokens = Tokens(echo)
    backend = TokenBackend(tokens, Chat(), settings)
    backend.complete([request("12345678", "a", "12345678", "", "12345678")])
    assert prompts(tokens) == ["345678|a|12||123456|"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"messages": ()}, "either messages or prompt_ids"),
        ({"prompt_ids": (1,)}, "either messages or prompt_ids"),
        ({"messages": ({"role": "assistant", "content": ""},)}, "must be the user's"),
        ({"stop": ("a", "")}, "an empty text"),
    ],
)
def test_requests_are_checked(more, message):
    fields = {"messages": ({"role": "user", "content": "q"},), **more}
    with pytest.raises(ConfigError, match=message):
        ChatRequest(**{"seed": 0, "sampling": Sampling(), **fields})


def test_two_replies_in_a_row_have_a_header_each():
    pytest.importorskip("transformers")
    tiny_models = pytest.importorskip("tiny_models")
    from agents.chat import chat_format

    chat = chat_format(tiny_models.tiny_tokenizer())
    tokens = Tokens(lambda prompt, seed: "x")
    messages = [("user", "a"), ("assistant", "b"), ("assistant", ""), ("user", "c")]
    asked = ChatRequest(
        messages=tuple({"role": role, "content": text} for role, text in messages),
        seed=0,
        sampling=Sampling(),
    )
    TokenBackend(tokens, chat, SETTINGS).submit([asked])
    header = "<|start_header_id|>{}<|end_header_id|>\n\n"
    expected = "<|begin_of_text|>"
    for role, text in messages:
        expected += header.format(role) + text + "<|eot_id|>"
    expected += header.format("assistant")
    assert chat.tokenizer.decode(tokens.requests[0].prompt_ids) == expected


def test_a_script_answers_by_the_first_pattern_that_is_found(tmp_path):
    script = tmp_path / "script.jsonl"
    script.write_text('{"when": "sum$", "say": "one"}\n\n{"when": "sum", "say": "two STOP"}\n')
    backend = ScriptedBackend(read_script(script))
    asked = [request("the sum"), request("sum it", stop=(" STOP",)), request("what?")]
    assert [c.text for c in backend.complete(asked)] == ["one", "two", ""]
    assert backend.requests == asked
    assert backend.usage.num_prompt_tokens == 2 + 2 + 1


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"when": "(", "say": ""}', "[1]"])
def test_a_script_that_cannot_be_read_names_the_line(tmp_path, line):
    script = tmp_path / "script.jsonl"
    script.write_text(f'{{"when": ".", "say": "x"}}\n{line}\n')
    with pytest.raises(ConfigError, match="line 2"):
        read_script(script)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_script(tmp_path / "nowhere.jsonl")


def test_a_tiny_model_completes_the_same_whoever_else_is_asked(tmp_path):
    torch = pytest.importorskip("torch")
    tiny_models = pytest.importorskip("tiny_models")
    torch.set_num_threads(1)
    folder = tiny_models.save_tiny(tmp_path / "tiny")
    settings = ModelSettings(
        model=str(folder),
        precision="float32",
        max_prompt_tokens=64,
        max_feedback_tokens=64,
        max_reply_tokens=12,
        max_context_tokens=256,
    )
    sampling = Sampling(temperature=1.0, max_new_tokens=12)
    asked = [request(f"Write {n}.", seed=n, sampling=sampling) for n in range(4)]
    together, alone = (load_token_backend(str(folder), settings, n) for n in (8, 1))
    texts = [c.text for c in together.complete(asked)]
    assert texts == [alone.complete([one])[0].text for one in asked]
    assert len(set(texts)) == 4
    together.close()
    alone.close()

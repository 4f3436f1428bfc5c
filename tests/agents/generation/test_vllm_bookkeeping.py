"""What VllmGenerator asks of its engine, and when; a fake engine, so without vLLM."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import save_tiny, tiny_llama

from agents.generation import vllm_engine
from agents.generation.tokens import GeneratorError, Sampling, TokenRequest
from agents.generation.vllm_ import VllmGenerator
from agents.generation.vllm_engine import EngineReply
from codefeedback_env import ConfigError


class FakeEngine:
    """Replies with one token per request and step; notes what it is asked for."""

    def __init__(self, model: str, **options: Any) -> None:
        self.options = options
        self.log: list[str] = []
        self.waiting: list[str] = []
        self.fault: Exception | None = None

    def add(self, name: str, prompt_ids: Sequence[int], sampling: Sampling, **more: Any) -> None:
        self.waiting.append(name)

    def step(self) -> list[EngineReply]:
        if self.fault:
            raise self.fault
        names, self.waiting = self.waiting, []
        return [
            EngineReply(
                name=name,
                token_ids=[1],
                logprobs=[-1.0],
                is_cut=True,
                prompt_logprobs=[],
                num_reused=0,
            )
            for name in names
        ]

    def load_weights(self, tensors: Iterable[tuple[str, Any]]) -> None:
        self.log.append(f"load {len(list(tensors))}")

    def forget_prefixes(self, *, has_requests: bool) -> None:
        self.log.append(f"forget prefixes, requests: {has_requests}")

    def sleep(self, level: int, *, has_requests: bool) -> None:
        self.log.append(f"sleep {level}, requests: {has_requests}")

    def wake(self, *parts: str) -> None:
        self.log.append(f"wake {' '.join(parts)}")

    def shutdown(self) -> None:
        self.log.append("shutdown")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"), "llama", tied=True, num_layers=1)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeEngine]]:
    built: list[FakeEngine] = []

    def build(model: str, **options: Any) -> FakeEngine:
        built.append(FakeEngine(model, **options))
        return built[-1]

    monkeypatch.setattr("agents.generation.vllm_.VllmEngine", build)
    return built


def build(folder: Path, **options: Any) -> VllmGenerator:
    options = {"stop_ids": [5], "max_context": 64, "dtype": "float32", **options}
    return VllmGenerator(folder, **options)


def request(dialogue: int) -> TokenRequest:
    return TokenRequest(dialogue=dialogue, prompt_ids=[1], seed=0, sampling=Sampling())


def weights() -> dict[str, Any]:
    return dict(tiny_llama(tied=True, num_layers=1).state_dict())


def test_prefixes_are_forgotten_after_the_weights_are_new(
    folder: Path, engines: list[FakeEngine]
) -> None:
    generator = build(folder)
    generator.add([request(0)])
    generator.load_weights(weights().items(), 1)
    # embedding, final norm, and of the layer 4 + 3 matrices and 2 norms; the tied head is not sent
    assert engines[0].log == ["load 11", "forget prefixes, requests: True"]


@pytest.mark.parametrize("sleep_level", [1, 2])
def test_weights_can_come_while_the_cache_still_sleeps(
    folder: Path, engines: list[FakeEngine], sleep_level: int
) -> None:
    generator = build(folder, sleep_level=sleep_level)
    generator.sleep()
    generator.sleep()
    generator.load_weights(weights().items(), 1)
    with pytest.raises(GeneratorError, match="wake"):
        generator.score([[1, 2]])
    generator.wake()
    generator.wake()
    assert engines[0].log == [
        f"sleep {sleep_level}, requests: False",
        "wake weights",
        "load 11",
        "forget prefixes, requests: False",
        "wake kv_cache",
    ]
    generator.add([request(0)])


def test_all_memory_comes_back_at_wake_where_weights_stay_the_same(
    folder: Path, engines: list[FakeEngine]
) -> None:
    generator = build(folder)
    generator.add([request(0)])
    generator.sleep()
    generator.wake()
    assert engines[0].log == ["sleep 1, requests: True", "wake kv_cache weights"]
    assert [reply.dialogue for reply in generator.step()] == [0]


def test_dropped_weights_must_come_before_wake(folder: Path, engines: list[FakeEngine]) -> None:
    generator = build(folder, sleep_level=2)
    generator.sleep()
    with pytest.raises(GeneratorError, match="call load_weights before wake"):
        generator.wake()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda of: of.pop("model.norm.weight"), "1 weights were not .* 'model.norm.weight'"),
        (lambda of: of.update(extra=torch.zeros(1)), "'extra' is none of the model"),
        (
            lambda of: of.update({"model.norm.weight": torch.zeros(3)}),
            r"'model.norm.weight' has shape \(3,\).* \(48,\)",
        ),
    ],
)
def test_incomplete_or_foreign_weights_are_refused_and_leave_nothing_to_use(
    folder: Path, engines: list[FakeEngine], change: Any, complaint: str
) -> None:
    generator, tensors = build(folder), weights()
    change(tensors)
    with pytest.raises(ConfigError, match=complaint):
        generator.load_weights(tensors.items(), 1)
    with pytest.raises(GeneratorError, match="build a new generator"):
        generator.add([request(0)])


def test_a_fault_of_the_engine_loses_all_replies_and_frees_its_memory_once(
    folder: Path, engines: list[FakeEngine]
) -> None:
    generator = build(folder)
    generator.add([request(0), request(1)])
    engines[0].fault = MemoryError("no room")
    with pytest.raises(GeneratorError, match="MemoryError: no room") as caught:
        generator.step()
    assert isinstance(caught.value.__cause__, MemoryError)
    assert generator.num_unfinished == 0
    generator.close()
    generator.close()
    assert engines[0].log == ["shutdown"]


def test_a_dialogue_has_one_reply_under_way(folder: Path, engines: list[FakeEngine]) -> None:
    generator = build(folder)
    for requests in ([request(0), request(0)], [request(1), request(1)]):
        with pytest.raises(ConfigError, match="already has a reply under way"):
            generator.add(requests)
    generator.add([request(0)])
    with pytest.raises(ConfigError, match="dialogue 0 already"):
        generator.add([request(0)])
    generator.step()
    generator.add([request(0)])


def test_replies_carry_the_version_they_began_with(folder: Path, engines: list[FakeEngine]) -> None:
    generator = build(folder)
    generator.add([request(0)])
    generator.load_weights(weights().items(), 7)
    generator.add([request(1)])
    assert [(reply.dialogue, reply.weight_version) for reply in generator.step()] == [
        (0, 0),
        (1, 7),
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU vLLM takes what is free")
def test_the_cache_on_cpu_holds_a_full_batch_and_no_more_than_4_gib(
    folder: Path, engines: list[FakeEngine]
) -> None:
    # 1 layer, keys and values, 2 heads of 12 numbers of 4 bytes: 192 bytes a token;
    # a context of 64 is 2 blocks of 32 and 1 for the token past its end, 1 is spare
    build(folder, max_batch=16)
    assert engines[0].options["cache_gib"] == 16 * 4 * 32 * 192 / 2**30
    build(folder, max_batch=1_000_000)
    assert engines[1].options["cache_gib"] == 4
    build(folder, max_batch=16, cache_gib=1.5)
    assert engines[2].options["cache_gib"] == 1.5


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_context": 513}, "max_context=513 is more than the 512 positions"),
        ({"dtype": "fp8"}, "dtype='fp8'"),
        ({"max_batch": 0}, "max_batch=0"),
        ({"sleep_level": 3}, "sleep_level=3"),
    ],
)
def test_wrong_settings_are_told_before_a_model_is_loaded(
    folder: Path, engines: list[FakeEngine], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        build(folder, **options)
    assert engines == []


def test_an_unknown_model_is_told(tmp_path: Path, engines: list[FakeEngine]) -> None:
    with pytest.raises(ConfigError, match="is no causal language model"):
        build(tmp_path)


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")

    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'vllm'", name="vllm")

    monkeypatch.setattr(vllm_engine.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"codefeedback-env\[vllm\].*generator='torch'"):
        vllm_engine.import_vllm()


def test_variables_that_are_set_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    for name in vllm_engine.ENVIRONMENT.keys() - {"VLLM_LOGGING_LEVEL"}:
        monkeypatch.setenv(name, "")  # so that it is removed again afterwards
        monkeypatch.delenv(name)
    vllm_engine.prepare_environment()
    expected = {**vllm_engine.ENVIRONMENT, "VLLM_LOGGING_LEVEL": "DEBUG"}
    assert {name: vllm_engine.os.environ[name] for name in expected} == expected


def test_what_an_import_does_to_the_process_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/before")
    monkeypatch.setenv("VLLM_OF_TEST", "1")
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    environ = vllm_engine.os.environ
    with vllm_engine.untouched_process():
        environ["LD_LIBRARY_PATH"] = "/after"
        environ["LD_PRELOAD_OF_TEST"] = "library"
        environ["VLLM_OF_TEST"] = "2"
        torch.manual_seed(1)
        torch.set_num_threads(threads + 1)
        torch.set_num_threads = lambda number: None
    assert environ["LD_LIBRARY_PATH"] == "/before"
    assert "LD_PRELOAD_OF_TEST" not in environ
    assert environ["VLLM_OF_TEST"] == "2"  # vLLM's own, which it may read later
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)

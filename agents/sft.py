"""``python -m agents sft``: supervised fine-tuning, the paper's baselines to PPO."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.settings import add_options, from_options
from agents.train import NEEDED, need, quieten_libraries
from codefeedback_env import ConfigError

MODES = ("success", "repair")


@dataclass(frozen=True, kw_only=True)
class SFTConfig:
    """One run of supervised fine-tuning. The defaults are the paper's, from appendix A.3."""

    # What is learned, from what
    model: str
    """Folder or hub name of the causal language model to start from."""

    out: Path
    """A new folder; the model goes to OUT/final, a line for each step to OUT/metrics.jsonl."""

    mode: str = "success"
    """"success": imitate the episodes that solved their problem (appendix A.3); "repair": from a
    first reply that failed public tests to a right program of the dataset (appendix B.4)."""

    all_replies: bool = False
    """With mode="success": learn all replies of an episode; the paper found the last one alone
    slightly better."""

    dataset: str | None = None
    """With mode="repair": name of the dataset that the episodes are of, or a file."""

    path: Path | None = None
    """With mode="repair": file or folder with the data."""

    split: str | None = None
    """With mode="repair": default: the dataset's own."""

    # Dialogue
    chat: str = "auto"
    """Format of the dialogue: auto, llama3, qwen or plain."""

    max_prompt_tokens: int = 2048
    """The problem is cut to this from the left, as in training with PPO."""

    max_feedback_tokens: int = 1024
    """Feedback is cut to this from the right, as in training with PPO."""

    max_context_tokens: int = 8192
    """Longer examples are dropped and counted."""

    # Updates
    batch_size: int = 64
    """Examples per step."""

    num_epochs: int = 2
    """Passes over the examples; the paper tried 2 and 3."""

    learning_rate: float = 5e-6
    """AdamW; the paper tried 5e-6 and 2e-6. Falls to 0 as a cosine."""

    warmup_steps: int = 10
    """Steps over which the rate rises linearly."""

    weight_decay: float = 0.1
    """AdamW."""

    max_grad_norm: float = 1.0
    """Silent in the paper."""

    # Model and memory
    precision: str = "bfloat16"
    """Of the forward and backward passes (autocast); weights are trained in float32. Silent in the
    paper."""

    lora_rank: int = 0
    """0 trains all weights; else adapters, which are merged in what is written."""

    lora_alpha: float = 32.0
    """Scale of the adapters is lora_alpha / lora_rank."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass."""

    max_tokens_per_pass: int = 32768
    """Packed tokens in one forward pass; gradients accumulate over passes."""

    # The run
    save_every: int = 0
    """Steps between copies of the model in OUT/step-000200 and so on, to evaluate and choose from;
    the paper evaluated each 200 steps. 0 for the last only."""

    seed: int = 0
    """Of the order of the examples, and of the programs with mode="repair"."""

    def __post_init__(self) -> None:
        """Check every constraint, once.

        Raises:
            ConfigError: a value is out of range or two do not fit; says which to change.
        """
        if self.mode not in MODES:
            raise ConfigError(f"mode={self.mode!r} is none of {', '.join(MODES)}.")
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"precision={self.precision!r} is none of float32, bfloat16.")
        for name in (
            *("max_prompt_tokens", "max_feedback_tokens", "batch_size", "num_epochs"),
            "max_tokens_per_pass",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1.")
        for name in ("warmup_steps", "weight_decay", "lora_rank", "save_every", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative.")
        for name in ("learning_rate", "max_grad_norm", "lora_alpha"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)} must be positive.")
        if self.max_context_tokens < 2:
            raise ConfigError(
                f"max_context_tokens={self.max_context_tokens} has no room for a prompt and a "
                "reply; raise it."
            )
        if self.mode == "repair" and self.dataset is None and self.path is None:
            raise ConfigError(
                "mode='repair' takes right programs from a dataset; give dataset or path."
            )
        has_data = any(value is not None for value in (self.dataset, self.path, self.split))
        if self.mode == "success" and has_data:
            raise ConfigError("dataset, path and split are for mode='repair'; leave them out.")
        if self.mode == "repair" and self.all_replies:
            raise ConfigError("mode='repair' has one reply to learn; leave all_replies out.")


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb ``sft``."""
    parser = verbs.add_parser(
        "sft",
        help="fine-tune a model on successful episodes, or as a repair model",
        description="Fine-tune a model on records of episodes, as evaluate and train write them. "
        "The defaults are the RLEF paper's, arXiv:2410.02089, appendix A.3; --mode repair is its "
        "appendix B.4. On several GPUs: accelerate launch -m agents sft.",
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="episode records, JSON lines"
    )
    add_options(parser, SFTConfig)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Fine-tune as the parsed options say; returns the exit status.

    Raises:
        CodeFeedbackError: an option, the records, the data or the model is at fault.
    """
    config = from_options(options, SFTConfig)
    need(NEEDED)
    quieten_libraries()
    from agents.supervised.trainer import fine_tune

    print(f"model: {fine_tune(config, options.files)}")
    return 0

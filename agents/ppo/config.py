"""Every setting of a training run."""

from dataclasses import dataclass
from pathlib import Path

from codefeedback_env import ConfigError

ADVANTAGES = ("return", "gae", "group-mean", "leave-one-out", "grpo")
VALUE_LEVELS = ("turn", "token")
KL_FORMS = ("geometric-mean", "product", "token")
CORRECTIONS = ("truncated", "icepop", "sequence-mask", "none")
LOSS_AVERAGES = ("token", "turn", "sequence")
TURN_REWARDS = ("environment", "public-fraction")
GENERATORS = ("torch", "vllm")
PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("constant", "linear", "cosine")
LOGGERS = ("tensorboard", "wandb", "trackio")

READERS: dict[str, tuple[str, tuple[object, ...]]] = {
    "gae_lambda": ("advantage", ("gae",)),
    "value_clip_range": ("advantage", ("return", "gae")),
    "critic_learning_rate": ("advantage", ("return", "gae")),
    "icepop_low": ("correction", ("icepop",)),
    "icepop_high": ("correction", ("icepop",)),
    "sequence_mask_limit": ("correction", ("sequence-mask",)),
    "max_resampling": ("dynamic_sampling", (True,)),
    "final_rate_fraction": ("schedule", ("linear", "cosine")),
}
"""Settings that only count with some values of another one."""


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """One training run. The defaults are the paper's where it gives a value; sections are its own.

    Where the paper is silent the docstring says so and gives the reason.
    """

    # What is learned, from what
    model: str
    """Folder or hub name of a causal language model: the initial policy, the reference, and the
    trunk of the critic (section 2.2)."""

    out: Path
    """Folder for checkpoints, logs and transcripts."""

    env: str = "CodeContests-v0"
    """Id of the environment."""

    dataset: str | None = None
    """Name of the dataset, or a file; default: the environment's own."""

    path: Path | None = None
    """File or folder with the data."""

    split: str | None = None
    """Default: the environment's own, which for CodeContests-v0 is the bundled problems."""

    valid_split: str | None = None
    """Split to evaluate on; default: the one trained on."""

    valid_path: Path | None = None
    """File or folder with the problems to evaluate on; default: ``path``."""

    turn_limit: int = 3
    """Replies per episode (section 3.1); 1 is the single-turn ablation (section 3.4.2)."""

    feedback: str = "public"
    """public, random (section 3.3), none (appendix B.5), private (appendix B.2) or self."""

    reward: str = "paper"
    """Reward of the environment (section 2.2), or "fraction", the share of tests that passed."""

    sandbox: str = "auto"
    """Where programs run."""

    max_private_tests: int | None = None
    """Hidden tests per problem and pool; default: all."""

    turn_reward: str = "environment"
    """"environment", or "public-fraction": before the last turn also the share of public tests that
    passed; with gamma below 1 the discounted per-turn reward of Kevin, arXiv:2507.11948. RLEF's
    authors warn that it can pay to fail on purpose."""

    difficulty_file: Path | None = None
    """JSON object from problem id to solve rate; trains on the problems between
    ``min_solve_rate`` and ``max_solve_rate`` only (DeepCoder's offline filter)."""

    min_solve_rate: float = 0.0
    """Lowest solve rate to train on, with ``difficulty_file``."""

    max_solve_rate: float = 1.0
    """Highest solve rate to train on, with ``difficulty_file``."""

    # Dialogue
    chat: str = "auto"
    """Format of the dialogue: auto, llama3, qwen, qwen3-thinking or plain."""

    max_prompt_tokens: int = 2048
    """The problem is cut to this from the left; silent in the paper, its successor's value."""

    max_feedback_tokens: int = 1024
    """Feedback is cut to this from the right; silent in the paper, its successor's value."""

    max_reply_tokens: int = 2048
    """Silent in the paper."""

    max_context_tokens: int = 8192
    """An episode whose next prompt does not fit ends as failed; the paper's length for SFT."""

    # Collecting
    num_rollouts: int = 1024
    """Episodes per iteration (section 3.1)."""

    group_size: int = 1
    """Rollouts of each problem in an iteration; silent in the paper, PPO needs no groups."""

    num_envs: int = 1024
    """Episodes at once."""

    temperature: float = 1.0
    """While training, without top-p and top-k (section 3.1)."""

    ordered: bool = False
    """Wait for all programs of a turn before the next: slower, and the same bit for bit on CPU."""

    max_staleness: int = 0
    """Episodes that began this many iterations ago may still be used; 0 is on-policy. Silent in the
    paper, whose loop is asynchronous."""

    dynamic_sampling: bool = False
    """Groups whose rewards are all equal are dropped and replaced (DAPO, arXiv:2503.14476)."""

    max_resampling: int = 4
    """With ``dynamic_sampling`` at most this many times ``num_rollouts`` episodes are played."""

    generator: str = "torch"
    """"torch", our own, or "vllm"."""

    # The objective
    beta: float = 0.05
    """Weight of the KL term in the reward (section 2.2)."""

    kl_form: str = "geometric-mean"
    """"geometric-mean": one term per turn from the mean log-ratio of its tokens (section 2.2);
    "product": from their sum; "token": each token's log-ratio is a reward at that token."""

    gamma: float = 1.0
    """Discount per turn (section 2.2)."""

    advantage: str = "return"
    """"return": return minus value (section 2.2); "gae"; without a critic "group-mean" (CWM,
    arXiv:2510.02387), "leave-one-out" per turn (arXiv:2602.05885) and "grpo"."""

    gae_lambda: float = 1.0
    """With advantage="gae", per turn, or per token with value_level="token"; 1 is the paper's."""

    value_level: str = "turn"
    """"turn": at the last prompt token of a turn (section 2.2); "token": the ablation of appendix
    B.6, a value before each token."""

    normalise_advantages: bool = True
    """With a critic: to mean 0 and deviation 1 over all turns of the iteration, or all tokens with
    value_level="token"; silent in the paper over what. Group baselines keep their own scale."""

    advantage_std_floor: float = 0.2
    """Least deviation to divide by, of all turns or with "grpo" of a group: where nearly all
    returns are equal noise would become full-size updates. Silent in the paper."""

    clip_range: float = 0.2
    """Ratios stay above 1 - clip_range (appendix A.1)."""

    clip_range_high: float | None = None
    """Ratios stay below 1 + this; default: ``clip_range``; DAPO has 0.28."""

    value_clip_range: float = 0.2
    """Values stay this near the old ones (appendix A.1)."""

    correction: str = "truncated"
    """For replies of other weights or another engine: "truncated", min(pi / pi_behaviour, 1) inside
    the clip (appendix A.1); "icepop" drops tokens whose pi_old / pi_behaviour is outside
    ``icepop_low`` to ``icepop_high`` and weights the others by it (arXiv:2510.18855);
    "sequence-mask" truncates and drops sequences by ``sequence_mask_limit``; "none"."""

    icepop_low: float = 0.5
    """Tokens below this pi_old / pi_behaviour are dropped, with "icepop"."""

    icepop_high: float = 5.0
    """Tokens above this are dropped, with "icepop"."""

    sequence_mask_limit: float = 0.1
    """Greatest absolute mean of log pi_old - log pi_behaviour, with "sequence-mask"."""

    loss_average: str = "token"
    """Policy loss as the mean over tokens, over turns' means, or over sequences' means. Silent in
    the paper."""

    entropy_bonus: float = 0.0
    """Weight of the mean entropy; the paper has none."""

    mask_cut_replies: bool = False
    """Replies ended by the length limit give no policy loss (DAPO's overlong filter)."""

    # Updates
    minibatch_rollouts: int = 256
    """Episodes per update, so four updates per iteration (section 3.1)."""

    num_epochs: int = 1
    """Passes over the episodes of an iteration (from the paper's 4 times 256 of 1024)."""

    learning_rate: float = 2e-7
    """AdamW (section 3.1)."""

    critic_learning_rate: float | None = None
    """Default: ``learning_rate``."""

    weight_decay: float = 0.1
    """AdamW (section 3.1)."""

    warmup_updates: int = 50
    """Updates over which the rate rises linearly (section 3.1)."""

    schedule: str = "constant"
    """After the warm-up: constant, linear or cosine down to ``final_rate_fraction``; silent in the
    paper."""

    final_rate_fraction: float = 0.0
    """What is left of the rate at the end of a falling schedule."""

    max_grad_norm: float = 1.0
    """Silent in the paper; for each of the two networks."""

    target_kl: float | None = None
    """An iteration's updates end early where the mean of log pi_old - log pi passes this."""

    critic_warmup_iterations: int = 0
    """First iterations in which only the critic learns (VC-PPO, arXiv:2503.01491)."""

    num_iterations: int = 3000
    """12,000 updates for the 8B model (section 3.1)."""

    # Models and memory
    precision: str = "bfloat16"
    """Of the forward and backward passes (autocast); weights are trained in float32. Silent in the
    paper."""

    lora_rank: int = 0
    """0 trains all weights; else policy and critic are adapters on one frozen base, whose output
    without adapters is the reference."""

    lora_alpha: float = 32.0
    """Scale of the adapters is lora_alpha / lora_rank."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass."""

    max_tokens_per_pass: int = 32768
    """Packed tokens in one forward pass; gradients accumulate over passes."""

    # The run
    seed: int = 0
    """Of problem order, replies and the critic's head."""

    eval_every: int = 200
    """Iterations between evaluations: 800 updates (section 3.1); 0 for none."""

    eval_rollouts: int = 1
    """Of each validation problem."""

    eval_num_problems: int | None = None
    """Validation problems; default: all."""

    eval_temperature: float = 0.2
    """1@3 (section 3.1)."""

    eval_top_p: float = 0.95
    """Section 3.1."""

    checkpoint_every: int = 10
    """Iterations between checkpoints; 0 for the last only."""

    keep_checkpoints: int = 2
    """Older ones are removed; the best by validation solve rate stays besides."""

    num_transcripts: int = 4
    """Episodes written out at each evaluation."""

    logger: str = "tensorboard"
    """"tensorboard", "wandb" or "trackio"; a JSON line per iteration is always written."""

    def __post_init__(self) -> None:
        """Check every constraint, once.

        Raises:
            ConfigError: a value is out of range or two do not fit; says which to change.
        """
        for name, known in (
            ("advantage", ADVANTAGES),
            ("value_level", VALUE_LEVELS),
            ("kl_form", KL_FORMS),
            ("correction", CORRECTIONS),
            ("loss_average", LOSS_AVERAGES),
            ("turn_reward", TURN_REWARDS),
            ("generator", GENERATORS),
            ("precision", PRECISIONS),
            ("schedule", SCHEDULES),
            ("logger", LOGGERS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name}={getattr(self, name)!r} is none of {', '.join(known)}.")
        for name in (
            *("turn_limit", "max_prompt_tokens", "max_feedback_tokens", "max_reply_tokens"),
            *("max_context_tokens", "num_rollouts", "group_size", "num_envs", "max_resampling"),
            *("minibatch_rollouts", "num_epochs", "num_iterations", "max_tokens_per_pass"),
            *("eval_rollouts", "keep_checkpoints"),
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1.")
        for name in (
            *("beta", "entropy_bonus", "weight_decay", "warmup_updates", "max_staleness"),
            *("critic_warmup_iterations", "lora_rank", "eval_every", "checkpoint_every"),
            *("num_transcripts", "seed", "eval_temperature", "icepop_low"),
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}={getattr(self, name)} must not be negative.")
        for name in (
            *("clip_range", "value_clip_range", "learning_rate", "max_grad_norm", "temperature"),
            *("advantage_std_floor", "lora_alpha", "sequence_mask_limit"),
        ):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)} must be positive.")
        for name in ("clip_range_high", "critic_learning_rate", "target_kl", "eval_num_problems"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name}={value} must be positive, or left out.")
        for name in (
            *("gamma", "gae_lambda", "min_solve_rate", "max_solve_rate"),
            "final_rate_fraction",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be in [0, 1].")
        if not 0 < self.eval_top_p <= 1:
            raise ConfigError(f"eval_top_p={self.eval_top_p} must be in (0, 1].")
        self._check_pairs()

    def _check_pairs(self) -> None:
        if self.num_rollouts % self.minibatch_rollouts:
            raise ConfigError(
                f"minibatch_rollouts={self.minibatch_rollouts} does not divide "
                f"num_rollouts={self.num_rollouts}; change either."
            )
        if self.num_rollouts % self.group_size:
            raise ConfigError(
                f"group_size={self.group_size} does not divide num_rollouts={self.num_rollouts}; "
                "change either."
            )
        needs_groups = self.advantage in ("group-mean", "leave-one-out", "grpo")
        if (needs_groups or self.dynamic_sampling) and self.group_size < 2:
            option = f"advantage={self.advantage!r}" if needs_groups else "dynamic_sampling"
            raise ConfigError(f"{option} compares rollouts of one problem; set group_size >= 2.")
        if needs_groups and self.value_level == "token":
            raise ConfigError(
                f"advantage={self.advantage!r} has no values; leave value_level alone."
            )
        if self.kl_form == "token" and self.value_level != "token" and not needs_groups:
            raise ConfigError(
                "kl_form='token' gives a reward to each token, which a value per turn does not "
                "see; set value_level='token' as well."
            )
        if needs_groups and self.kl_form == "token":
            raise ConfigError(f"kl_form='token' needs values per token; not {self.advantage!r}.")
        if self.critic_warmup_iterations and needs_groups:
            raise ConfigError(
                f"advantage={self.advantage!r} has no critic to warm up; set "
                "critic_warmup_iterations=0."
            )
        if self.ordered and self.max_staleness:
            raise ConfigError(
                f"ordered collection is on-policy; set max_staleness=0, not {self.max_staleness}."
            )
        if self.max_staleness and (self.group_size > 1 or self.dynamic_sampling):
            raise ConfigError("groups need max_staleness=0: their rollouts end at different times.")
        room = self.max_context_tokens - self.max_prompt_tokens - self.max_reply_tokens
        if room < 0:
            raise ConfigError(
                f"max_context_tokens={self.max_context_tokens} has no room for a prompt of "
                f"{self.max_prompt_tokens} and a reply of {self.max_reply_tokens}; raise it, or "
                "lower max_prompt_tokens or max_reply_tokens."
            )
        if self.min_solve_rate > self.max_solve_rate:
            raise ConfigError(
                f"min_solve_rate={self.min_solve_rate} is above "
                f"max_solve_rate={self.max_solve_rate}."
            )
        if (self.min_solve_rate, self.max_solve_rate) != (0, 1) and self.difficulty_file is None:
            raise ConfigError("min_solve_rate and max_solve_rate need a difficulty_file.")
        for name, (other, values) in READERS.items():
            value, read_with = getattr(self, name), getattr(self, other)
            if value != type(self).__dataclass_fields__[name].default and read_with not in values:
                raise ConfigError(
                    f"{name}={value} would change nothing with {other}={read_with!r}; leave it "
                    f"out, or set {other} to {' or '.join(map(repr, values))}."
                )
        if self.kl_form != "geometric-mean" and not self.beta:
            raise ConfigError(f"kl_form={self.kl_form!r} would change nothing with beta=0.")
        if self.icepop_low >= self.icepop_high:
            raise ConfigError(
                f"icepop_low={self.icepop_low} must be below icepop_high={self.icepop_high}."
            )

    @property
    def has_critic(self) -> bool:
        """Whether the advantage needs values."""
        return self.advantage in ("return", "gae")

    @property
    def updates_per_iteration(self) -> int:
        """Optimiser steps where no early stop comes in between."""
        return self.num_rollouts // self.minibatch_rollouts * self.num_epochs

    @property
    def env_options(self) -> dict[str, object]:
        """Options for ``gymnasium.make_vec`` that the data does not fix."""
        options: dict[str, object] = {
            "turn_limit": self.turn_limit,
            "feedback": self.feedback,
            "reward": self.reward,
            "sandbox": self.sandbox,
            "max_private_tests": self.max_private_tests,
        }
        return {name: value for name, value in options.items() if value is not None}

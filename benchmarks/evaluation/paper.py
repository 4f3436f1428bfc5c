"""The numbers of the RLEF paper that reports set beside ours.

Source: Gehring et al. 2025, "RLEF: Grounding Code LLMs in Execution Feedback with Reinforcement
Learning", ICML 2025. Solve rates in percent. Where its tables differ by a rounding, the number is
the one of the table named.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperNumber:
    """A solve rate of the paper."""

    model: str
    metric: str
    """As suites call it."""

    percent: float
    table: str


_MODELS = (
    "Llama 3.0 8B Instruct",
    "Llama 3.0 8B + RLEF",
    "Llama 3.1 8B Instruct",
    "Llama 3.1 8B + RLEF",
    "Llama 3.1 70B Instruct",
    "Llama 3.1 70B + RLEF",
)
_MODELS_31 = _MODELS[2:]
_TABLE_5_MODELS = ("GPT-4o (2024-05-13)", *_MODELS_31)


def _numbers(
    metric: str, table: str, models: tuple[str, ...], percents: tuple[float, ...]
) -> tuple[PaperNumber, ...]:
    return tuple(
        PaperNumber(model, metric, percent, table)
        for model, percent in zip(models, percents, strict=True)
    )


def _single_and_multi(
    single: tuple[float, ...], multi: tuple[float, ...]
) -> tuple[PaperNumber, ...]:
    return (
        *_numbers("single-turn 1@3", "Table 5", _TABLE_5_MODELS, single),
        *_numbers("1@3", "Table 5", _TABLE_5_MODELS, multi),
    )


PAPER: dict[str, tuple[PaperNumber, ...]] = {
    "code_contests_valid": (
        *_numbers("1@3", "Table 1", _MODELS, (4.1, 12.5, 8.9, 17.2, 25.9, 37.5)),
        *_numbers("10@100", "Table 1", _MODELS_31, (21.7, 29.8, 50.2, 54.5)),
        PaperNumber("AlphaCodium gpt-4-0613", "5@100", 44.0, "Table 1"),
        PaperNumber("AlphaCodium Llama 3.1 70B Instruct", "5@100", 34.2, "Table 1"),
        PaperNumber("Llama 3.1 8B few-shot", "1@3", 8.5, "Table 3"),
        PaperNumber("Llama 3.1 8B SFT", "1@3", 10.3, "Table 3"),
        PaperNumber("Llama 3.1 70B few-shot", "1@3", 22.5, "Table 3"),
        PaperNumber("Llama 3.1 70B SFT", "1@3", 27.7, "Table 3"),
        *_numbers("single-turn 1@3", "Table 4", _MODELS_31, (9.4, 16.2, 25.6, 25.8)),
    ),
    "code_contests_test": (
        *_numbers("1@3", "Table 1", _MODELS, (3.2, 12.1, 10.5, 16.1, 27.5, 40.1)),
        *_numbers("10@100", "Table 1", _MODELS_31, (24.8, 28.7, 50.3, 54.5)),
        PaperNumber("AlphaCodium gpt-4-0613", "5@100", 29.0, "Table 1"),
        PaperNumber("AlphaCodium Llama 3.1 70B Instruct", "5@100", 27.8, "Table 1"),
        PaperNumber("Llama 3.1 8B few-shot", "1@3", 8.5, "Table 3"),
        PaperNumber("Llama 3.1 8B SFT", "1@3", 10.0, "Table 3"),
        PaperNumber("Llama 3.1 70B few-shot", "1@3", 20.3, "Table 3"),
        PaperNumber("Llama 3.1 70B SFT", "1@3", 27.2, "Table 3"),
        *_numbers("single-turn 1@3", "Table 4", _MODELS_31, (11.6, 9.5, 25.9, 30.1)),
    ),
    "human_eval_plus": _single_and_multi(
        (82.8, 65.3, 67.5, 73.2, 78.7), (80.7, 63.9, 69.5, 75.0, 80.4)
    ),
    "mbpp_plus": _single_and_multi((68.8, 58.3, 57.0, 66.9, 67.6), (71.7, 60.4, 63.1, 70.2, 72.2)),
    "live_code_bench": _single_and_multi(
        (49.9, 22.5, 22.7, 38.1, 36.9), (48.4, 23.1, 27.8, 40.9, 42.4)
    ),
}

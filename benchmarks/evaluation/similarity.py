"""How alike two programs are."""

import importlib.util
from collections.abc import Callable

from codefeedback_env import ConfigError

MISSING_CHRF = (
    "chrF needs sacrebleu, which this environment does not have: "
    "pip install 'codefeedback-env[benchmarks]'"
)


def load_chrf() -> Callable[[str, str], float]:
    """The chrF of a text with respect to another, in [0, 1]; 1 for equal ones.

    Raises:
        ConfigError: sacrebleu is not installed.

    Source: Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation", as in
    sacrebleu: characters up to 6-grams without white space, no words, beta 2.
    """
    if importlib.util.find_spec("sacrebleu") is None:
        raise ConfigError(f"{MISSING_CHRF}.")
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()

    def chrf(text: str, reference: str) -> float:
        if text == reference:
            return 1.0  # also where there are no characters to count
        return float(metric.sentence_score(text, [reference]).score) / 100

    return chrf

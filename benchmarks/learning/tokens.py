"""A tokenizer in which the fixed strings of the dialogue are single tokens.

A tiny model has no capacity to spare for spelling, and a turn stays below 25 tokens. Whatever else
the environment says, such as a traceback, is spelt in bytes, so every text survives the round trip.
"""

import re
from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codefeedback_env import PaperFeedback, Problem, TestCase, TestResult, Verdict

PAD, USER, ASSISTANT, END = "<pad>", "<user>", "<assistant>", "<end>"
_HOLE = "\0"
_DIGITS = tuple("0123456789")
_CODE = ("```python\nprint(", "int(input())", "+", "-", "*", ")\n```")


def phrases(statements: Sequence[str]) -> list[str]:
    """The strings that are one token: the environment's around what it inserts, and code."""
    text = PaperFeedback()
    wrong = text.feedback([_failed(Verdict.WRONG_ANSWER)] * 2)
    crashed = text.feedback([_failed(Verdict.RUNTIME_ERROR, stderr=_HOLE)] * 2)
    pieces = {
        *text.prompt(Problem(id="template", statement=_HOLE)).split(_HOLE),
        *text.feedback([_failed(Verdict.WRONG_ANSWER)]).split(_HOLE),
        *wrong.split(_HOLE),
        *crashed.split(_HOLE),
        text.no_code(),
        *statements,
        *_DIGITS,
        *_CODE,
    }
    return sorted(pieces - {""}, key=lambda piece: (-len(piece), piece))


def build_tokenizer(statements: Sequence[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of a set of families; ``save_pretrained`` writes its folder."""
    known = phrases(statements)
    special = (PAD, USER, ASSISTANT, END)
    all_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {token: number for number, token in enumerate((*special, *known, *all_bytes))}
    # A phrase is in the vocabulary and taken whole; other words have no merges and fall to bytes.
    model = models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, ignore_merges=True)
    tokenizer = Tokenizer(model)
    pattern = Regex("|".join(map(re.escape, known)))  # longest first, so the longest is taken
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
    )


def _failed(verdict: Verdict, stderr: str = "") -> tuple[TestCase, TestResult]:
    """A failed test with holes where something is inserted."""
    test = TestCase(f"{_HOLE}\n", f"{_HOLE}\n")
    return test, TestResult(index=0, verdict=verdict, stdout=f"{_HOLE}\n", stderr=stderr)

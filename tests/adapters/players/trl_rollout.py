"""The plain-text dialogue in TRL's trainer, from the ids that it trains on."""

import re
from functools import cache
from itertools import groupby
from tempfile import mkdtemp

from played import ENV_ID, Case, Played
from trl_policy import make_trainer, script

from codefeedback_env.adapters.trl import DialogueRollout, episode_reward, prompt_rows


@cache
def _trainer():
    rows = prompt_rows(ENV_ID)
    rollout = DialogueRollout(ENV_ID)
    trainer = make_trainer(mkdtemp(), rows, rollout_func=rollout, reward_funcs=episode_reward)
    return trainer, {row["problem_id"]: row for row in rows}


def play(case: Case) -> Played:
    trainer, rows = _trainer()
    script(trainer, lambda episode, turn: case.replies[turn])
    out = trainer.rollout_func([rows[case.problem_id]["prompt"]], trainer)
    (ids,), (mask,) = out["completion_ids"], out["env_mask"]
    decode = trainer.processing_class.decode
    runs = groupby(zip(ids, mask, strict=True), key=lambda pair: pair[1])
    texts = [(by_model, decode([token for token, _ in run])) for by_model, run in runs]
    replies = [text.removesuffix("<|im_end|>") for by_model, text in texts if by_model]
    assert replies == list(case.replies)
    shown = [decode(out["prompt_ids"][0]), *(text for by_model, text in texts if not by_model)]
    messages = [_user_message(text) for text in shown]
    (reward,), (solved,) = out["episode_reward"], out["private_passed"]
    assert episode_reward(**out, prompts=[], completions=[]) == [reward]
    return Played(tuple(messages), (reward,), solved)


def _user_message(text: str) -> str:
    found = re.fullmatch(
        r"\n?<\|im_start\|>user\n(.*)<\|im_end\|>\n<\|im_start\|>assistant\n", text, re.DOTALL
    )
    assert found is not None, text
    return found[1]

"""TRL's trainer over dialogues: what is sampled is trained on, and scored as the environment does.

Replies are sampled from a tiny random model, or given where they have to be good.
"""

import inspect
import json
import logging
import os
import socket
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest

pytest.importorskip("trl")

import torch
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, SECRET, BrokenJudge, add_problem, fenced
from trl.generation.vllm_generation import VLLMGeneration
from trl_policy import make_trainer, record, report, script, weights

from codefeedback_env import ConfigError, ProblemSet
from codefeedback_env.adapters.trl import DialogueRollout, episode_reward, prompt_rows

ENV_ID = "CodeFeedback-v0"
PROBLEMS = ProblemSet.from_problems([add_problem("add"), add_problem("sum")])
SECRETS = ProblemSet.from_problems([add_problem("add", secret=True)])
NO_CODE_FEEDBACK = "Could not parse your code.\nGive it another try.\n"


@pytest.fixture(scope="module")
def rows():
    return prompt_rows(ENV_ID, dataset=PROBLEMS)


@pytest.fixture(scope="module")
def rollout():
    rollout = DialogueRollout(ENV_ID, dataset=PROBLEMS)
    yield rollout
    rollout.close()


@pytest.fixture
def make_rollout_trainer(tmp_path, rows, rollout):
    def make(hook=rollout, **options):
        return make_trainer(
            tmp_path, rows, rollout_func=hook, reward_funcs=episode_reward, options=options
        )

    return make


def prompts_of(rows, *problem_ids):
    return [row["prompt"] for name in problem_ids for row in rows if row["problem_id"] == name]


def runs(out, episode):
    """The completion as (by the model, ids), alternating."""
    pairs = zip(out["completion_ids"][episode], out["env_mask"][episode], strict=True)
    return [
        (bool(mask), [token for token, _ in run]) for mask, run in groupby(pairs, lambda p: p[1])
    ]


# --- Rows ----------------------------------------------------------------------------------------


def test_rows_hold_the_prompt_and_the_id(rows):
    assert [row["problem_id"] for row in rows] == ["add", "sum"]
    for row in rows:
        (message,) = row["prompt"]
        assert message["role"] == "user"
        assert message["problem_id"] == row["problem_id"]
        assert message["content"].startswith("Provide a Python solution")


def test_rows_hold_no_tests():
    assert SECRET not in json.dumps(prompt_rows(ENV_ID, dataset=SECRETS))


def test_a_system_message_comes_before_the_problem():
    (row, _) = prompt_rows(ENV_ID, dataset=PROBLEMS, system="Use the tool.")
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["prompt"][0]["content"] == "Use the tool."


def test_rows_of_other_options_are_refused(make_rollout_trainer):
    others = prompt_rows(ENV_ID, dataset=PROBLEMS, feedback="self")
    trainer = make_rollout_trainer()
    with pytest.raises(ConfigError, match=r"'add' asks .* but the environment asks"):
        trainer.rollout_func(prompts_of(others, "add"), trainer)


@pytest.mark.parametrize("prompt", ["a text", [{"role": "user", "content": "no id"}]])
def test_prompts_that_name_no_problem_are_refused(make_rollout_trainer, prompt):
    trainer = make_rollout_trainer()
    with pytest.raises(ConfigError, match="names no problem"):
        trainer.rollout_func([prompt], trainer)


# --- The plain-text dialogue ---------------------------------------------------------------------


@pytest.mark.sandbox
def test_sampled_ids_are_the_ids_trained_on_and_feedback_is_masked(make_rollout_trainer, rows):
    hook = DialogueRollout(ENV_ID, dataset=PROBLEMS, max_reply_tokens=12)
    trainer = make_rollout_trainer(hook, max_steps=2)
    sampled = record(trainer, "_generate_single_turn")
    played = record(trainer, "rollout_func")
    batches = record(trainer, "_generate_and_score_completions")
    trainer.train()
    hook.close()

    assert len(played) == len(batches) == 2
    assert len(sampled) == 2 * 3  # three turns a step: random replies have no code
    tokenizer = trainer.processing_class
    for step, out in enumerate(played):
        assert len(out["prompt_ids"]) == 2  # TRL repeats the prompt of a group itself
        assert out["prompt_ids"][0] == out["prompt_ids"][1]
        assert out["logprobs"] is None
        for episode in range(2):
            replies = [sampled[3 * step + turn][0][episode] for turn in range(3)]
            parts = runs(out, episode)
            assert [ids for by_model, ids in parts if by_model] == replies
            assert all(1 <= len(ids) <= 12 for ids in replies)
            for turn, ids in enumerate(ids for by_model, ids in parts if not by_model):
                text = tokenizer.decode(ids)
                if replies[turn][-1] != tokenizer.eos_token_id:
                    assert ids[0] == tokenizer.eos_token_id
                    text = text.removeprefix(tokenizer.eos_token)
                assert text.startswith(f"\n<|im_start|>user\n{NO_CODE_FEEDBACK}")
                assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")
        trained, length = batches[step], max(map(len, out["completion_ids"]))
        assert trained["completion_ids"].shape == (2, length)
        for episode, ids in enumerate(out["completion_ids"]):
            assert trained["completion_ids"][episode, : len(ids)].tolist() == ids
            mask = trained["tool_mask"] * trained["completion_mask"]
            assert mask[episode].tolist() == out["env_mask"][episode] + [0] * (length - len(ids))
        assert out["episode_reward"] == [pytest.approx(-1.4)] * 2
    assert trainer.generation_config.max_new_tokens == trainer.max_completion_length


@pytest.mark.sandbox
def test_training_rewards_what_the_environment_rewards_and_moves_the_weights(
    make_rollout_trainer,
):
    trainer = make_rollout_trainer(max_steps=2)
    replies = {0: [fenced(ADD_WRONG), fenced(ADD)], 1: ["no code"] * 3}
    script(trainer, lambda episode, turn: replies[episode][turn])
    batches = record(trainer, "_generate_and_score_completions")
    before = weights(trainer)
    trainer.train()

    assert not torch.equal(before, weights(trainer))
    log = trainer.state.log_history[0]
    # wrong, then right: 0 + 1; without code three times: -0.2 - 0.2 - 1
    assert log["rewards/episode_reward/mean"] == pytest.approx((1 - 1.4) / 2)
    assert log["solved"] == 0.5
    for batch in batches:
        first, second = batch["advantages"].tolist()
        assert first > 0 > second


@pytest.mark.sandbox
def test_equal_replies_teach_nothing(make_rollout_trainer):
    trainer = make_rollout_trainer(max_steps=1)
    script(trainer, lambda episode, turn: fenced(ADD))
    before = weights(trainer)
    trainer.train()
    assert torch.equal(before, weights(trainer))


@pytest.mark.sandbox
def test_nothing_of_the_hidden_tests_reaches_the_trainer(make_rollout_trainer, rows):
    hook = DialogueRollout(ENV_ID, dataset=SECRETS)
    trainer = make_rollout_trainer(hook)
    script(trainer, lambda episode, turn: fenced([ADD_WRONG, ADD_PUBLIC_ONLY][turn]))
    out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    hook.close()
    texts = trainer.processing_class.batch_decode(out["prompt_ids"] + out["completion_ids"])
    assert SECRET not in json.dumps([out, texts])
    assert out["private_passed"] == [False]
    assert out["episode_reward"] == [-1.0]


@pytest.mark.sandbox
def test_a_full_context_ends_the_episode_as_failed_without_its_feedback(make_rollout_trainer, rows):
    reply = fenced(ADD_WRONG)
    trainer = make_rollout_trainer(max_completion_length=60)
    num_tokens = len(trainer.processing_class.encode(reply, add_special_tokens=False)) + 1
    assert num_tokens < 60  # it fits, and its feedback does not
    script(trainer, lambda episode, turn: reply)
    out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    assert out["env_mask"] == [[1] * num_tokens]
    assert out["episode_reward"] == [-1.0]
    assert out["private_passed"] == [False]


@pytest.mark.sandbox
def test_a_reply_never_runs_over_the_context(make_rollout_trainer, rows):
    trainer = make_rollout_trainer(max_completion_length=10)
    script(trainer, lambda episode, turn: fenced(ADD))
    out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    whole = trainer.processing_class.encode(fenced(ADD), add_special_tokens=False)
    assert out["completion_ids"] == [whole[:10]]
    assert out["episode_reward"] == [-1.0]  # a program that is cut off is none


def test_a_prompt_without_room_for_a_reply_is_dropped(make_rollout_trainer, rows, caplog):
    trainer = make_rollout_trainer()
    trainer.model.config.max_position_embeddings = 20
    with caplog.at_level(logging.WARNING):
        out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    assert out["env_mask"] == [[0]]
    assert out["episode_reward"] == [None]
    assert "'add' is dropped" in caplog.text


def test_a_model_without_positions_has_no_longest_context(make_rollout_trainer, rows):
    trainer = make_rollout_trainer(max_completion_length=12)
    del trainer.model.config.max_position_embeddings
    script(trainer, lambda episode, turn: fenced(ADD))
    assert len(trainer.rollout_func(prompts_of(rows, "add"), trainer)["completion_ids"][0]) == 12


@pytest.mark.sandbox
def test_batches_may_shrink_and_grow(make_rollout_trainer, rows):
    trainer = make_rollout_trainer()
    for problem_ids in (["add", "sum"], ["sum"], ["add", "sum", "add"], ["add"]):
        script(trainer, lambda episode, turn: fenced(ADD))
        out = trainer.rollout_func(prompts_of(rows, *problem_ids), trainer)
        assert out["episode_reward"] == [1.0] * len(problem_ids)


@pytest.mark.sandbox
def test_an_error_leaves_nothing_to_the_next_batch(make_rollout_trainer, rows):
    hook = DialogueRollout(ENV_ID, dataset=PROBLEMS, min_ready=0.5)
    trainer = make_rollout_trainer(hook)
    late = "import time; time.sleep(1)"
    script(trainer, lambda episode, turn: fenced(late if episode else ADD_WRONG))
    trainer._generate_single_turn = once(trainer._generate_single_turn)
    with pytest.raises(ZeroDivisionError):
        trainer.rollout_func(prompts_of(rows, "add", "sum"), trainer)
    time.sleep(3)  # the late program of the second episode is done
    script(trainer, lambda episode, turn: fenced(ADD))
    out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    hook.close()
    assert out["episode_reward"] == [1.0]


def test_an_episode_that_the_sandbox_failed_teaches_nothing(tmp_path, rows):
    judge = OneFailure()
    hook = DialogueRollout(ENV_ID, dataset=PROBLEMS, sandbox=judge)
    trainer = make_trainer(
        tmp_path,
        rows,
        rollout_func=hook,
        reward_funcs=episode_reward,
        options={"num_generations": 3, "per_device_train_batch_size": 3},
    )
    replies = [fenced(ADD), fenced(ADD), "no code"]
    script(trainer, lambda episode, turn: replies[episode])
    out = record(trainer, "rollout_func")
    batch = trainer._generate_and_score_completions([dict(rows[0]) for _ in range(3)])

    assert out[0]["episode_reward"] == [None, 1.0, pytest.approx(-1.4)]
    assert out[0]["private_passed"] == [None, True, False]
    assert set(out[0]["env_mask"][0]) == {0}
    dropped, first, second = batch["advantages"].tolist()
    # The two others are their own group: their mean is in the middle.
    assert dropped == 0
    assert first == pytest.approx(-second)
    assert first > 0


@pytest.mark.sandbox
def test_fast_programs_need_not_wait_for_slow_ones(tmp_path, rows):
    hook = DialogueRollout(ENV_ID, dataset=PROBLEMS, min_ready=0.5)
    trainer = make_trainer(tmp_path, rows, rollout_func=hook, reward_funcs=episode_reward)
    slow = "while True: pass"
    replies = [[slow, ADD], [ADD_WRONG, ADD]]
    script(trainer, lambda episode, turn: fenced(replies[episode][turn]))
    contexts = []
    generate = trainer._generate_single_turn

    def counted(prompt_ids, *args, **kwargs):
        contexts.append(len(prompt_ids))
        return generate(prompt_ids, *args, **kwargs)

    trainer._generate_single_turn = counted
    out = trainer.rollout_func(prompts_of(rows, "add", "sum"), trainer)
    hook.close()
    assert contexts == [2, 1, 1]
    assert out["episode_reward"] == [1.0, 1.0]


class FakeVllm:
    """TRL's engine as far as a rollout sees it: every reply as long as it may be."""

    def __init__(self):
        self.max_completion_length = 4096

    def sync_weights(self):
        pass

    def generate(self, prompts, images, num_generations, profiler):
        assert (images, num_generations) == (None, 1)
        replies = [[100] * self.max_completion_length for _ in prompts]
        return prompts, replies, [[[-0.5] for _ in reply] for reply in replies], None


@pytest.mark.sandbox
def test_logprobs_of_vllm_belong_to_the_tokens_of_the_model(make_rollout_trainer, rows):
    hook = DialogueRollout(ENV_ID, dataset=PROBLEMS, max_reply_tokens=5)
    trainer = make_rollout_trainer(hook)
    trainer.use_vllm, trainer.vllm_mode, trainer.vllm_generation = True, "server", FakeVllm()
    trainer._last_loaded_step = -1
    out = trainer.rollout_func(prompts_of(rows, "add"), trainer)
    hook.close()
    assert sum(out["env_mask"][0]) == 3 * 5
    assert out["logprobs"][0] == [-0.5 * mask for mask in out["env_mask"][0]]
    assert trainer.vllm_generation.max_completion_length == 4096


def test_the_engine_reads_the_limit_that_is_set():
    source = inspect.getsource(VLLMGeneration.generate)
    assert "self.max_completion_length" in source


@pytest.mark.parametrize("options", [{"max_reply_tokens": 0}, {"min_ready": 0}, {"min_ready": 2}])
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))}="):
        DialogueRollout(ENV_ID, dataset=PROBLEMS, **options)


@pytest.mark.sandbox
def test_two_processes_generate_together_though_their_dialogues_differ_in_length(tmp_path):
    environment = os.environ | {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
    }
    program = Path(__file__).with_name("trl_two_processes.py")
    processes = [
        subprocess.Popen(
            [sys.executable, program, tmp_path],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [
        json.loads(process.communicate(timeout=240)[0].splitlines()[-1]) for process in processes
    ]
    for one in said:  # the first process needs three turns, the other one
        assert one["rows"] == [1, 1, 1]
        assert one["rewards"] == [pytest.approx(-1.4), 1.0]
    assert said[0]["advantage"] == pytest.approx(-said[1]["advantage"])
    assert said[1]["advantage"] > 0


# --- Stand-ins -----------------------------------------------------------------------------------


class OneFailure(BrokenJudge):
    """The sandbox fails over the first submission; all others pass."""

    def __init__(self):
        super().__init__(num_failures=1)

    def judge(self, problem, submission, plan):
        super().judge(problem, submission, plan)
        return report([stage.pool.value for stage in plan.stages])


def once(generate):
    """The same for one call; then it raises."""
    outcomes = [generate]

    def call(*args, **kwargs):
        if not outcomes:
            raise ZeroDivisionError
        return outcomes.pop()(*args, **kwargs)

    return call


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]

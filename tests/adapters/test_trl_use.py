"""What is there to copy runs: the page, the example, the benchmark."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("trl")

from pages import run_page
from tiny_models import save_tiny
from trl.chat_template_utils import qwen3_chat_template
from trl_policy import CONTEXT

import codefeedback_env
from benchmarks import trl_batch

EXAMPLE = Path(codefeedback_env.__file__).parents[1] / "examples" / "trl_grpo.py"
SMALL = (
    "per_device_train_batch_size=2, num_generations=2, max_completion_length=48, max_steps=1, "
    "use_cpu=True, bf16=False, report_to='none', save_strategy='no', output_dir="
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a tiny random model whose chat template has tools."""
    folder = save_tiny(tmp_path_factory.mktemp("model"), "qwen2", max_positions=CONTEXT)
    (folder / "chat_template.jinja").write_text(qwen3_chat_template)
    return str(folder)


@pytest.mark.sandbox
def test_the_page_runs(model, tmp_path):
    names = run_page(
        "trl",
        {
            "Qwen/Qwen2.5-Coder-1.5B-Instruct": model,
            "Qwen/Qwen3-1.7B": model,
            "num_generations=8, max_completion_length=4096": f"{SMALL}{str(tmp_path)!r}",
            "max_reply_tokens=1024": "max_reply_tokens=8",
        },
    )
    assert [tool.__name__ for tool in names["trainer"].tools] == ["submit"]


@pytest.mark.sandbox
@pytest.mark.parametrize("hook", [[], ["--tool"]], ids=["dialogue", "tool"])
def test_the_example_trains(model, tmp_path, hook):
    small = ["--steps", "1", "--group", "2", "--max-tokens", "48", "--cpu", "--out", str(tmp_path)]
    trainer = runpy.run_path(str(EXAMPLE))["main"](["--model", model, *small, *hook])
    assert trainer.state.global_step == 1
    assert trainer.state.log_history[0]["reward"] <= -1  # nobody programs by chance
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.sandbox
def test_the_benchmark_plays_the_same_episodes_three_ways():
    result = trl_batch.measure(num_episodes=4, num_workers=1, rounds=1)
    assert set(result["ratios"]) == {"vector", "rollout_func", "environment_factory"}
    assert all(len(column) == 1 and column[0] > 0 for column in result["ratios"].values())
    assert result["num_submissions"] > 4


@pytest.mark.sandbox
def test_the_benchmark_notices_other_rewards():
    episodes = trl_batch.Episodes(2)
    episodes.rewards, episodes.num_turns = [1.0, 0.5], [1, 1]
    for programs in episodes.programs:
        del programs[:-1]
    hook = trl_batch.Hook(
        episodes,
        trl_batch.reply,
        rollout_func=trl_batch.DialogueRollout(trl_batch.ENV_ID),
        reward_funcs=trl_batch.episode_reward,
    )
    with pytest.raises(RuntimeError, match=r"episodes \[1\] have other rewards"):
        hook.play()

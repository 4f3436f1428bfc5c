"""Train a model on execution feedback with TRL's GRPO.

    python examples/trl_grpo.py --model Qwen/Qwen2.5-Coder-1.5B-Instruct

With --tool the model hands in programs by calling a tool, else in code blocks as in the paper. The
bundled problems serve to see it run; for training, take a data set: --env TACO-v0.
"""

import argparse

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from codefeedback_env.adapters.trl import (
    DialogueRollout,
    episode_reward,
    prompt_rows,
    submit_environment,
)

TOOL_HINT = "Hand in each program by calling the tool submit. Its answer tells which tests failed."


def main(arguments: list[str] | None = None) -> GRPOTrainer:
    """Train; returns the trainer, whose model is saved in --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="name or folder of an instruct model")
    parser.add_argument("--env", default="CodeContests-v0", help="id of an environment")
    parser.add_argument("--tool", action="store_true")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--group", type=int, default=8, help="episodes of each problem")
    parser.add_argument("--max-tokens", type=int, default=4096, help="of a whole dialogue")
    parser.add_argument("--out", default="runs/trl")
    parser.add_argument("--cpu", action="store_true", help="for a tiny model")
    options = parser.parse_args(arguments)

    env = {"env_id": options.env, "turn_limit": 3}
    if options.tool:
        hook = {"environment_factory": submit_environment(**env)}
    else:
        hook = {"rollout_func": DialogueRollout(**env), "reward_funcs": episode_reward}
    trainer = GRPOTrainer(
        model=options.model,
        args=GRPOConfig(
            output_dir=options.out,
            max_steps=options.steps,
            per_device_train_batch_size=options.group,
            num_generations=options.group,
            max_completion_length=options.max_tokens,
            logging_steps=1,
            report_to="none",
            use_cpu=options.cpu,
            bf16=not options.cpu,
        ),
        train_dataset=Dataset.from_list(
            prompt_rows(**env, system=TOOL_HINT if options.tool else None)
        ),
        **hook,
    )
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()

"""One of two processes that train together; a test starts them as torchrun would."""

import json
import os
import sys

from examples import ADD, add_problem, fenced
from trl_policy import make_trainer

from codefeedback_env import ProblemSet
from codefeedback_env.adapters.trl import DialogueRollout, episode_reward, prompt_rows

REPLIES = (["no code"] * 3, [fenced(ADD)])


def main(folder: str) -> None:
    rank = int(os.environ["RANK"])
    options = {"dataset": ProblemSet.from_problems([add_problem()])}
    rows = prompt_rows("CodeFeedback-v0", **options)
    rollout = DialogueRollout("CodeFeedback-v0", **options)
    trainer = make_trainer(
        folder,
        rows,
        rollout_func=rollout,
        reward_funcs=episode_reward,
        options={"per_device_train_batch_size": 1, "ddp_backend": "gloo"},
    )
    num_rows: list[int] = []

    def generate(prompt_ids, *_, **__):
        turn = min(len(num_rows), len(REPLIES[rank]) - 1)
        num_rows.append(len(prompt_ids))
        ids = trainer.processing_class.encode(REPLIES[rank][turn], add_special_tokens=False)
        return [[*ids, trainer.processing_class.eos_token_id] for _ in prompt_ids], None

    trainer._generate_single_turn = generate
    batch = trainer._generate_and_score_completions([dict(rows[0])])
    mask, advantage = batch["tool_mask"][0].tolist(), batch["advantages"].item()
    rewards = list(trainer._logs["rewards"]["episode_reward"])
    print(
        json.dumps(
            {"rewards": rewards, "rows": num_rows, "advantage": advantage, "mask_sum": sum(mask)}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])

"""TRL's side, run as a script by an interpreter that has trl; ``trl_phases`` talks to it.

It makes a ``GRPOTrainer`` from the settings in its argument and does as it is told, one JSON object
per line of standard input, one answer each. What is timed are TRL's own methods:

* generate: ``_generate_single_turn``, which pads prompts and calls ``generate`` of transformers; no
  token ends a reply, so all have the length asked for, and no log-probabilities come with them;
* score: ``_get_per_token_logps_and_entropies`` of the policy and of the reference, over the batch
  padded as ``_generate_and_score_completions`` pads it, prompts left and the rest right;
* update: ``training_step`` for each micro-batch of that batch, then clipping and the optimiser's
  step as the loop of ``transformers.Trainer`` has them.

Gradient checkpointing, on by default there, is as in our trainer; a micro-batch is as large as our
limit of tokens allows, padding included.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from typing import Any


def serve(settings: dict[str, Any]) -> None:
    """Answer until the input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no reply
    try:
        trainer = Trainer(settings)
        versions = {name: version(name) for name in ("trl", "transformers", "torch", "accelerate")}
    except (ImportError, OSError, ValueError, TypeError, AttributeError) as error:
        print(json.dumps({"error": repr(error)}), file=replies)
        return
    versions["python"] = sys.version.split()[0]
    print(json.dumps({"versions": versions}), file=replies)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(trainer, request.pop("phase"))(**request)), file=replies)


class Trainer:
    """A ``GRPOTrainer`` and the batch it was given."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Takes the settings of ``trl_phases.TrlProcess``."""
        import torch
        from datasets import Dataset
        from transformers import AutoTokenizer
        from trl import GRPOConfig, GRPOTrainer  # type: ignore[import-not-found]  # not here

        class Given(GRPOTrainer):  # type: ignore[misc]  # unknown here
            """Trains on the batch given instead of one that it generates."""

            def _prepare_inputs(self, generation_batch: Any) -> Any:
                return generation_batch

        self.torch = torch
        self.settings = settings
        torch.set_num_threads(settings["num_threads"])
        accumulation = settings["minibatch"] // settings["micro_batch"]
        arguments = GRPOConfig(
            output_dir=settings["out"],
            per_device_train_batch_size=settings["micro_batch"],
            gradient_accumulation_steps=accumulation,
            num_generations=settings["group"],
            max_completion_length=settings["reply"],
            beta=settings["beta"],
            learning_rate=settings["learning_rate"],
            bf16=settings["precision"] == "bfloat16",
            use_cpu=settings["device"] == "cpu",
            gradient_checkpointing=settings["recompute"],
            report_to="none",
            model_init_kwargs={"dtype": "float32"},
        )
        tokenizer = AutoTokenizer.from_pretrained(settings["model"])
        self.trainer: Any = Given(
            model=settings["model"],
            reward_funcs=lambda completions, **others: [0.0] * len(completions),
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": "never read"}] * settings["minibatch"]),
            processing_class=tokenizer,
        )
        self.pad_id = tokenizer.pad_token_id
        self.trainer.generation_config.eos_token_id = None  # replies of one length
        self.trainer.current_gradient_accumulation_steps = accumulation
        self.trainer.create_optimizer()
        self.trainer.model.train()
        self.device = self.trainer.accelerator.device
        self.batch: dict[str, Any] = {}

    def generate(self, prompts: list[list[int]]) -> dict[str, Any]:
        """Continue all prompts."""
        start = self._now()
        self.trainer._generate_single_turn(prompts, None, {}, 1)
        return {"seconds": self._now() - start}

    def load(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Take a batch to score and to train on."""
        from trl.trainer.utils import pad  # type: ignore[import-not-found]  # not here

        def padded(lists: list[list[int]], value: int, side: str) -> Any:
            return pad([self.torch.tensor(ids) for ids in lists], value, side).to(self.device)

        prompts = [row["prompt"] for row in rows]
        completions = [row["completion"] for row in rows]
        prompt_ids = padded(prompts, self.pad_id, "left")
        completion_ids = padded(completions, self.pad_id, "right")
        tool_mask = padded([row["mask"] for row in rows], 0, "right")
        self.batch = {
            "prompt_ids": prompt_ids,
            "prompt_mask": padded([[1] * len(ids) for ids in prompts], 0, "left"),
            "completion_ids": completion_ids,
            "completion_mask": padded([[1] * len(ids) for ids in completions], 0, "right"),
            "tool_mask": tool_mask,
        }
        num_tokens = prompt_ids.numel() + completion_ids.numel()
        return {"num_padded_tokens": num_tokens, "num_actions": int(tool_mask.sum())}

    def score(self) -> dict[str, Any]:
        """Log-probabilities by policy and reference."""
        torch, batch, trainer = self.torch, self.batch, self.trainer
        start = self._now()
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        with torch.no_grad():
            policy, reference = (
                trainer._get_per_token_logps_and_entropies(
                    model,
                    ids,
                    mask,
                    batch["completion_ids"].size(1),
                    batch_size=self.settings["micro_batch"],
                )[0]
                for model in (trainer.model, trainer.ref_model)
            )
        batch["old_per_token_logps"] = policy
        batch["ref_per_token_logps"] = reference
        seconds = self._now() - start
        return {"seconds": seconds, "sum_logprobs": float((policy * batch["tool_mask"]).sum())}

    def update(self) -> dict[str, Any]:
        """One pass over the batch, with a step of the optimiser for each minibatch."""
        trainer, size = self.trainer, self.settings["micro_batch"]
        num_rows = len(self.batch["prompt_ids"])
        signs = self.torch.arange(num_rows, device=self.device) % 2
        batch = self.batch | {"advantages": 2.0 * signs - 1.0}
        num_items = batch["tool_mask"].sum()
        trainer.args.steps_per_generation = num_rows // size
        start = self._now()
        num_updates = 0
        for first in range(0, num_rows, size):
            micro = {name: value[first : first + size] for name, value in batch.items()}
            trainer.training_step(trainer.model, micro | {"num_items_in_batch": num_items}, None)
            if (first + size) % self.settings["minibatch"] == 0:
                parameters = trainer.model.parameters()
                trainer.accelerator.clip_grad_norm_(parameters, trainer.args.max_grad_norm)
                trainer.optimizer.step()
                trainer.model.zero_grad()
                num_updates += 1
        return {"seconds": self._now() - start, "num_updates": num_updates}

    def _now(self) -> float:
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()
        return time.perf_counter()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))

"""REINFORCE, in pure torch: a policy of four thousand numbers learns to read execution feedback.

    python examples/reinforce.py

The prompt does not say what to compute; only the feedback on a failed program does. The policy
picks one of four programs by the pairs of words in the newest message. Guessing solves 7 of 16
episodes of two turns; whoever reads the expected output solves all.
"""

import itertools
import operator
import re
import zlib

import gymnasium
import torch

from codefeedback_env import FORMAT, Problem, ProblemSet, TestCase

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "%": operator.mod}
PROGRAMS = [f"a, b = map(int, input().split())\nprint(a {sign} b)" for sign in OPERATORS]
NUM_FEATURES = 1024


def problems() -> ProblemSet:
    """One problem for each operator, with the same statement."""

    def problem(name: str, sign: str) -> Problem:
        tests = [TestCase(f"{a} {b}\n", f"{OPERATORS[sign](a, b)}\n") for a, b in [(7, 3), (9, 4)]]
        return Problem(
            id=name,
            statement="Combine two numbers in the right way",
            public_tests=(tests[0],),
            private_tests=(tests[1],),
        )

    return ProblemSet.from_problems(
        [problem(f"rule-{i}", sign) for i, sign in enumerate(OPERATORS)]
    )


def features(message: str) -> torch.Tensor:
    """Which pairs of neighbouring words a message has, shape (NUM_FEATURES,)."""
    words = re.findall(r"-?\w+", message.replace(FORMAT, ""))
    present = torch.zeros(NUM_FEATURES)
    for pair in itertools.pairwise(words):
        present[zlib.crc32(" ".join(pair).encode()) % NUM_FEATURES] = 1.0
    return present


def main(num_updates: int = 40, batch_size: int = 64, seed: int = 0) -> list[float]:
    """Learn; returns the share of episodes solved in each batch."""
    env = gymnasium.make("CodeFeedback-v0", dataset=problems(), turn_limit=2)
    env.reset(seed=seed)
    rng = torch.Generator().manual_seed(seed)
    policy = torch.nn.Linear(NUM_FEATURES, len(PROGRAMS))
    torch.nn.init.zeros_(policy.weight)
    torch.nn.init.zeros_(policy.bias)
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.03)
    solve_rates = []
    for update in range(num_updates):
        logprobs: list[torch.Tensor] = []  # of the replies of each episode of this batch
        entropies: list[torch.Tensor] = []
        returns: list[float] = []
        while len(returns) < batch_size:
            observation, _ = env.reset()
            logprob, entropy, episode_return = torch.zeros(()), torch.zeros(()), 0.0
            is_over = truncated = False
            while not is_over:
                choices = torch.log_softmax(policy(features(observation)), dim=0)
                choice = int(torch.multinomial(choices.exp(), 1, generator=rng))
                logprob = logprob + choices[choice]
                entropy = entropy - (choices.exp() * choices).sum()
                reply = f"```python\n{PROGRAMS[choice]}\n```"
                observation, reward, terminated, truncated, _ = env.step(reply)
                episode_return += float(reward)
                is_over = terminated or truncated
            if not truncated:  # then the sandbox failed, which is not the policy's doing
                logprobs.append(logprob)
                entropies.append(entropy)
                returns.append(episode_return)
        advantages = torch.tensor(returns) - torch.tensor(returns).mean()
        loss = -(advantages * torch.stack(logprobs)).mean() - 0.1 * torch.stack(entropies).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        solve_rates.append(sum(value > 0 for value in returns) / batch_size)
        if update % 5 == 4:
            print(f"update {update + 1:3}: {solve_rates[-1]:4.0%} of episodes solved", flush=True)
    env.close()
    return solve_rates


if __name__ == "__main__":
    main()

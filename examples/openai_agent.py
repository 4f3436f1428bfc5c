"""An agent over any server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, a hosted model.

    python examples/openai_agent.py --base-url http://localhost:8000/v1 --model NAME --problems 10

The key, where the server wants one, comes from the variable OPENAI_API_KEY. One request at a time
and no second try, to be read at a glance; for measurements use `python -m agents evaluate --agent
multi-turn --backend openai`, which asks in parallel, retries and keeps to rate limits.
"""

import argparse
import json
import os
import urllib.request
from collections.abc import Sequence

import gymnasium

from codefeedback_env import FullTranscript


class ChatModel:
    """A model behind ``POST {base_url}/chat/completions``."""

    def __init__(self, base_url: str, name: str, temperature: float) -> None:
        """Nothing is sent yet."""
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._settings = {"model": name, "temperature": temperature}
        self._headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            self._headers["Authorization"] = f"Bearer {key}"

    def reply(self, messages: Sequence[dict[str, str]]) -> str:
        """The model's next message, "" where it says nothing.

        Raises:
            urllib.error.URLError: the server cannot be reached, or refuses.
        """
        body = json.dumps({**self._settings, "messages": list(messages)}).encode()
        request = urllib.request.Request(self._url, body, self._headers)
        with urllib.request.urlopen(request, timeout=600) as response:
            answer = json.load(response)
        return answer["choices"][0]["message"]["content"] or ""


def play(env: gymnasium.Env, model: ChatModel) -> bool | None:
    """One episode; whether it was solved, None where the sandbox failed and it does not count."""
    conversation, info = env.reset()
    is_over = truncated = False
    while not is_over:
        conversation, _, terminated, truncated, info = env.step(model.reply(conversation))
        is_over = terminated or truncated
    print(f"{info['problem_id']}: {info['turn']} turns, solved: {info.get('private_passed')}")
    return None if truncated else info["private_passed"]


def main(arguments: list[str] | None = None) -> float:
    """Play; returns the share of episodes solved."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-url", required=True, help="such as http://localhost:8000/v1")
    parser.add_argument("--model", required=True, help="the model's name on the server")
    parser.add_argument("--env", default="CodeContests-v0", help="id of an environment")
    parser.add_argument("--problems", type=int, default=10, help="how many, in an order by --seed")
    parser.add_argument("--temperature", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    model = ChatModel(options.base_url, options.model, options.temperature)
    env = FullTranscript(gymnasium.make(options.env))
    env.reset(seed=options.seed)
    solved = [play(env, model) for _ in range(options.problems)]
    env.close()
    counted = [was_solved for was_solved in solved if was_solved is not None]
    rate = sum(counted) / len(counted) if counted else 0.0
    print(f"{env.unwrapped}: {sum(counted)} of {len(counted)} episodes solved")
    return rate


if __name__ == "__main__":
    main()

"""A client and a server over loopback; the task is found by listing them."""

import atexit
from contextlib import ExitStack
from functools import cache

import requests
from openenv_server import serving
from played import ENV_ID, Case, Played

from codefeedback_env.adapters.openenv import CodeAction, CodeClient


@cache
def server() -> str:
    """The address of a server that ends with this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serving(env_id=ENV_ID))


def play(case: Case) -> Played:
    url = server()
    split = requests.get(f"{url}/codefeedback/splits", timeout=60).json()[0]["name"]
    answer = requests.post(f"{url}/codefeedback/tasks", json={"split": split}, timeout=60)
    index = [task["id"] for task in answer.json()["tasks"]].index(case.problem_id)
    with CodeClient(url).sync() as client:
        result = client.reset(seed=0, split=split, index=index)
        messages, rewards = [result.observation.text], []
        for reply in case.replies:
            assert not result.done
            result = client.step(CodeAction(reply=reply))
            rewards.append(result.reward)
            if not result.done:
                messages.append(result.observation.text)
        assert result.done
    return Played(tuple(messages), tuple(rewards), result.observation.info["private_passed"])

"""The environment as a tool of TRL's trainer."""

import inspect
from concurrent.futures import Future

import pytest

pytest.importorskip("trl")

import torch
from examples import ADD, ADD_WRONG, BrokenJudge, add_problem, fenced
from players.trl_environment import call
from trl_policy import make_trainer, report, script, weights

from codefeedback_env import Pool, ProblemSet
from codefeedback_env.adapters.trl import SubmitEnvironment, prompt_rows, submit_environment
from codefeedback_env.adapters.trl_tool import LAST, OVER, PASSED

ENV_ID = "CodeFeedback-v0"
PROBLEMS = ProblemSet.from_problems([add_problem("add"), add_problem("sum")])


class StoppedJudge(BrokenJudge):
    """Public tests pass at once, unless the sandbox fails; the test says how hidden ones end."""

    def __init__(self, failing=False):
        super().__init__(num_failures=int(failing))
        self.hidden = []

    def judge(self, problem, submission, plan):
        super().judge(problem, submission, plan)
        assert [stage.pool for stage in plan.stages] == [Pool.PUBLIC]
        return report(("public",))

    def submit(self, problem, submission, plan):
        assert plan.stages[-2].pool is Pool.PRIVATE
        assert plan.stages[-1].pool is Pool.GENERATED
        self.hidden.append(Future())
        return self.hidden[-1]

    def cancel(self, future):
        future.cancel()


def test_the_tool_is_all_there_is_for_the_model_to_call():
    functions = dict(inspect.getmembers(SubmitEnvironment, inspect.isfunction))
    assert {name for name in functions if not name.startswith("_")} == {
        "reset",
        "submit",
        "get_reward",
    }


@pytest.mark.sandbox
def test_training_with_the_tool_moves_the_weights(tmp_path):
    trainer = make_trainer(
        tmp_path,
        prompt_rows(ENV_ID, dataset=PROBLEMS),
        environment_factory=submit_environment(ENV_ID, dataset=PROBLEMS),
        options={"max_steps": 2},
    )
    replies = {
        0: [call(fenced(ADD_WRONG)), call(fenced(ADD)), "Done."],
        1: [call("no code"), call(fenced(ADD_WRONG)), call(fenced(ADD_WRONG)), "Done."],
    }
    script(trainer, lambda episode, turn: replies[episode][turn])
    before = weights(trainer)
    trainer.train()
    assert not torch.equal(before, weights(trainer))
    log = trainer.state.log_history[0]
    assert log["rewards/SubmitEnvironment/mean"] == pytest.approx((1 - 1.2) / 2)
    assert log["tools/failure_frequency"] == 0


@pytest.mark.sandbox
def test_a_program_in_a_block_is_the_program():
    environment = submit_environment(ENV_ID, dataset=PROBLEMS)()
    for code in (ADD, fenced(ADD).partition("\n")[2], f"'''```'''\n{ADD}"):
        environment.reset("add", prompt=[])
        assert environment.submit(code) == PASSED
        assert environment.get_reward() == 1.0


@pytest.mark.sandbox
def test_a_model_that_stops_has_made_its_last_submission_the_final_one():
    environment = submit_environment(ENV_ID, dataset=PROBLEMS)()
    environment.reset("add")
    assert environment.get_reward() == -1.0
    environment.reset("add")
    assert environment.submit("").startswith("Could not parse your code.")
    assert environment.submit(ADD_WRONG).startswith("Your code failed the following tests:")
    assert environment.get_reward() == pytest.approx(-1.2)
    assert environment.get_reward() == pytest.approx(-1.2)
    assert environment.submit(ADD) == OVER


def test_episodes_are_graded_while_the_next_ones_go_on():
    judge = StoppedJudge()
    make = submit_environment(ENV_ID, dataset=PROBLEMS, sandbox=judge)
    environments = [make() for _ in range(3)]
    for environment in environments:
        environment.reset("add")
        assert environment.submit(ADD) == PASSED
        assert environment.submit(ADD) == OVER
    for number, all_passed in enumerate((True, False, True)):
        judge.hidden[number].set_result(report(("private", "generated"), all_passed))
    assert [environment.get_reward() for environment in environments] == [1.0, -1.0, 1.0]


def test_a_new_episode_stops_the_grading_of_one_that_nobody_asked_for():
    judge = StoppedJudge()
    environment = submit_environment(ENV_ID, dataset=PROBLEMS, sandbox=judge)()
    environment.reset("add")
    assert environment.submit(ADD) == PASSED
    environment.reset("sum")
    assert judge.hidden[0].cancelled()
    assert environment.get_reward() == -1.0


def test_nobody_waits_for_the_public_tests_of_the_last_submission():
    judge = StoppedJudge()
    environment = submit_environment(ENV_ID, dataset=PROBLEMS, sandbox=judge, turn_limit=1)()
    environment.reset("add")
    judge.judge = None
    assert environment.submit(ADD_WRONG) == LAST
    judge.hidden[0].set_result(report(("public", "private", "generated"), False))
    assert environment.get_reward() == -1.0


def test_the_tool_has_no_reward_where_the_sandbox_failed():
    judge = StoppedJudge(failing=True)
    environment = submit_environment(ENV_ID, dataset=PROBLEMS, sandbox=judge)()
    environment.reset("add")
    assert environment.submit(ADD) == OVER
    assert environment.get_reward() is None

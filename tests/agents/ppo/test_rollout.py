import json
from concurrent.futures import Future

import pytest
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, SharedJudge, fenced
from scripted_tokens import CharacterChat, ScriptedTokens

from agents.generation.tokens import GeneratorError, Sampling
from agents.ppo.collect import Collector, split_equal_groups
from agents.ppo.problem_stream import ProblemStream
from agents.ppo.rollout import DialogueLimits, Rollout, RolloutEngine, play
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import ConfigError, SandboxError
from codefeedback_env.make import make_vector_env

ANSWERS = {"right": fenced(ADD), "wrong": fenced(ADD_WRONG), "overfit": fenced(ADD_PUBLIC_ONLY)}


class FailingAtFirst(SharedJudge):
    """Its sandbox fails for so many submissions."""

    def __init__(self, judge, num_failures):
        super().__init__(judge)
        self._submit, self._left = self.submit, num_failures
        self.submit = self.fail_or_submit

    def fail_or_submit(self, *call):
        if not self._left:
            return self._submit(*call)
        self._left -= 1
        failed = Future()
        failed.set_exception(SandboxError("the jail fell over"))
        return failed


LIMITS = DialogueLimits(max_prompt=5_000, max_feedback=5_000, max_context=100_000)
SAMPLING = Sampling(max_new_tokens=1_000)


def learner_of_feedback(prompt: str, seed: int) -> str:
    """Wrong at first, right once there was feedback."""
    return ANSWERS["right" if "failed the following tests" in prompt else "wrong"]


def of_any_length(prompt: str, seed: int) -> str:
    """As above, after more or less talk, so that episodes drift apart."""
    return "." * (seed % 600) + learner_of_feedback(prompt, seed)


@pytest.fixture
def make_engine(judge, add_set):
    made = []

    def make(answer=learner_of_feedback, *, num_envs=4, limits=LIMITS, sampling=SAMPLING, **more):
        tokens = ScriptedTokens(answer, more.pop("tokens_per_step", 1_000_000))
        vec = make_vector_env(
            num_envs=num_envs,
            autoreset_mode="Disabled",
            dataset=add_set,
            sandbox=more.pop("judge", SharedJudge(judge)),
            **more.pop("env", {}),
        )
        made.append(vec)
        return RolloutEngine(vec, tokens, CharacterChat(), limits, sampling, **more)

    yield make
    for vec in made:
        vec.close()


def rollouts(number: int) -> list[Rollout]:
    return [Rollout(f"add-{n % 3}", seed=n, group=n) for n in range(number)]


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("tokens_per_step", [7, 1_000_000])
def test_an_agent_that_reads_feedback_solves_in_the_second_turn(
    make_engine, ordered, tokens_per_step
):
    engine = make_engine(ordered=ordered, tokens_per_step=tokens_per_step)
    trajectories = list(play(engine, rollouts(10)))
    assert sorted(t.seed for t in trajectories) == list(range(10))
    for trajectory in trajectories:
        first, second = trajectory.turns
        assert (first.reward, second.reward) == (0.0, 1.0)
        assert trajectory.private_passed
        assert first.public_fraction == 0.5  # print(3) is right for 1 2, wrong for 2 2
        assert second.public_fraction == 1
        assert trajectory.episode is not None
        assert trajectory.episode.problem_id == trajectory.problem_id


def test_what_is_trained_on_is_what_was_sampled_and_what_it_was_sampled_after(make_engine):
    engine = make_engine()
    (trajectory,) = play(engine, rollouts(1))
    requests = engine.generator.requests
    assert [list(r.prompt_ids) for r in requests] == [
        trajectory.turns[0].prompt_ids,
        trajectory.turns[0].prompt_ids
        + trajectory.turns[0].reply_ids
        + trajectory.turns[1].prompt_ids,
    ]
    assert CharacterChat().reply_text(trajectory.turns[1].reply_ids) == ANSWERS["right"]
    ids, turns = trajectory.token_ids, trajectory.turn_of_token
    assert len(ids) == len(turns) == trajectory.num_tokens
    for turn, position in enumerate(trajectory.value_positions):
        assert turns[position] == -1
        assert turns[position + 1] == turn
    sampled = [token for token, turn in zip(ids, turns, strict=True) if turn >= 0]
    assert sampled == trajectory.turns[0].reply_ids + trajectory.turns[1].reply_ids
    assert len(trajectory.behaviour_logprobs) == trajectory.num_reply_tokens == len(sampled)


def test_replies_have_seeds_of_their_own_which_do_not_depend_on_the_batch(make_engine):
    alone, together = make_engine(num_envs=1), make_engine(num_envs=4)
    list(play(alone, rollouts(6)))
    list(play(together, rollouts(6)))
    seeds = [{r.seed for r in engine.generator.requests} for engine in (alone, together)]
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) == 12


@pytest.mark.parametrize(
    ("answer", "rewards", "valid", "passed"),
    [
        ("print(", [-0.2, -0.2, -1.0], [False] * 3, False),
        ("no program at all", [-0.2, -0.2, -1.0], [False] * 3, False),
        (ANSWERS["wrong"], [0, 0, -1.0], [True] * 3, False),
        (ANSWERS["overfit"], [-1.0], [True], False),
        (ANSWERS["right"], [1.0], [True], True),
    ],
)
def test_rewards_and_validity_of_each_turn(make_engine, answer, rewards, valid, passed):
    reply = fenced(answer) if answer == "print(" else answer
    (trajectory,) = play(make_engine(lambda prompt, seed: reply), rollouts(1))
    assert trajectory.rewards == rewards
    assert [turn.is_valid for turn in trajectory.turns] == valid
    assert trajectory.private_passed is passed


def test_without_feedback_penalties_tell_which_replies_had_no_program(make_engine):
    engine = make_engine(lambda prompt, seed: fenced("print("), env={"feedback": "none"})
    (trajectory,) = play(engine, rollouts(1))
    assert [turn.is_valid for turn in trajectory.turns] == [False] * 3


def test_a_reply_that_is_cut_says_so_and_the_next_prompt_closes_it(make_engine):
    engine = make_engine(sampling=Sampling(max_new_tokens=5))
    (trajectory,) = play(engine, rollouts(1))
    assert [turn.is_cut for turn in trajectory.turns] == [True] * 3
    assert all(len(turn.reply_ids) == 5 for turn in trajectory.turns)
    assert trajectory.turns[1].prompt_ids[0] == 0


def test_an_episode_whose_context_is_full_ends_as_failed(make_engine):
    one_turn = make_engine()
    (whole,) = play(one_turn, rollouts(1))
    first = whole.turns[0]
    room = len(first.prompt_ids) + len(first.reply_ids) + len(whole.turns[1].prompt_ids)
    limits = DialogueLimits(max_prompt=5_000, max_feedback=5_000, max_context=room)
    (trajectory,) = play(make_engine(limits=limits), rollouts(1))
    assert trajectory.ended_by_limit
    assert not trajectory.private_passed
    assert trajectory.rewards == [-1.0]
    (trajectory,) = play(make_engine(limits=limits, env={"reward": "fraction"}), rollouts(1))
    assert trajectory.rewards == [0.0]
    limits = DialogueLimits(max_prompt=5_000, max_feedback=5_000, max_context=room + 3)
    (trajectory,) = play(make_engine(limits=limits), rollouts(1))
    assert [len(turn.reply_ids) for turn in trajectory.turns] == [len(first.reply_ids), 3]


def test_an_episode_that_the_sandbox_failed_is_dropped_counted_and_replaced(make_engine, judge):
    broken = FailingAtFirst(judge, 2)
    engine = make_engine(lambda prompt, seed: ANSWERS["right"], num_envs=1, judge=broken)
    collector = Collector(engine, ProblemStream(["add-0", "add-1"], seed=0), num_rollouts=3)
    collection = collector.collect(0)
    assert len(collection.trajectories) == 3
    assert engine.take_clock().num_sandbox_failures == 2
    assert engine.take_clock().num_sandbox_failures == 0
    assert [t.rewards for t in collection.trajectories] == [[1.0]] * 3


def test_a_broken_generator_is_replaced_and_no_episode_is_lost(make_engine, add_set):
    replacements = []

    def revive():
        replacements.append(ScriptedTokens(learner_of_feedback))
        return replacements[-1]

    engine = make_engine(revive=revive)
    engine.generator = ScriptedTokens(learner_of_feedback, break_at_step=2)
    trajectories = list(play(engine, rollouts(4)))
    assert len(trajectories) == 4
    assert all(t.private_passed for t in trajectories)
    assert len(replacements) == engine.clock.num_revivals == 1


def test_a_generator_that_breaks_again_and_again_is_an_error(make_engine):
    engine = make_engine(revive=lambda: ScriptedTokens(learner_of_feedback, break_at_step=1))
    engine.generator = ScriptedTokens(learner_of_feedback, break_at_step=1)
    with pytest.raises(GeneratorError):
        list(play(engine, rollouts(1)))


def test_a_context_longer_than_the_generators_is_refused(make_engine):
    limits = DialogueLimits(max_prompt=1, max_feedback=1, max_context=2_000_000)
    with pytest.raises(ConfigError, match="max_context_tokens=2000000"):
        make_engine(limits=limits)


def test_trajectories_come_in_the_order_of_the_stream_whatever_ends_first(make_engine):
    def by_seed(prompt: str, seed: int) -> str:
        return ANSWERS["right"] if seed % 2 else learner_of_feedback(prompt, seed)

    stream = ProblemStream(["add-0", "add-1", "add-2"], seed=5, group_size=2)
    collector = Collector(make_engine(by_seed), stream, num_rollouts=8)
    trajectories = collector.collect(0).trajectories
    expected = ProblemStream(["add-0", "add-1", "add-2"], seed=5, group_size=2)
    order = [rollout for _ in range(4) for rollout in expected.next_group()]
    assert [(t.problem_id, t.seed) for t in trajectories] == [(r.problem_id, r.seed) for r in order]


def test_dynamic_sampling_replaces_groups_with_equal_rewards(make_engine):
    def by_problem(prompt: str, seed: int) -> str:
        return ANSWERS["right"] if seed % 2 else ANSWERS["wrong"]

    stream = ProblemStream(["add-0", "add-1", "add-2"], seed=5, group_size=2)
    collector = Collector(make_engine(by_problem), stream, num_rollouts=8, max_played=400)
    collection = collector.collect(0)
    assert len(collection.trajectories) == 8
    assert collection.num_equal_groups > 0
    assert collection.num_played == 8 + 2 * collection.num_equal_groups
    assert split_equal_groups(collection.trajectories) == (collection.trajectories, [])


def test_dynamic_sampling_gives_up_at_its_limit_with_a_full_batch(make_engine):
    engine = make_engine(lambda prompt, seed: ANSWERS["right"])
    stream = ProblemStream(["add-0"], seed=5, group_size=2)
    collection = Collector(engine, stream, num_rollouts=4, max_played=12).collect(0)
    assert (len(collection.trajectories), collection.num_played) == (4, 12)


def test_with_staleness_episodes_go_on_into_the_next_iteration(make_engine):
    engine = make_engine(of_any_length, num_envs=6, tokens_per_step=60)
    collector = Collector(engine, ProblemStream(["add-0"], seed=0), 4, max_staleness=1)
    first = collector.collect(0).trajectories
    assert len(first) == 4
    assert engine.num_live
    engine.generator.weight_version = 1
    second = collector.collect(1)
    ages = {1 - t.weight_version for t in second.trajectories}
    assert ages <= {0, 1}
    assert 1 in ages


def test_episodes_older_than_the_limit_are_abandoned_and_counted(make_engine):
    engine = make_engine(of_any_length, num_envs=6, tokens_per_step=60)
    collector = Collector(engine, ProblemStream(["add-0"], seed=0), 4, max_staleness=1)
    collector.collect(0)
    num_live = engine.num_live
    engine.generator.weight_version = 5
    collection = collector.collect(5)
    assert collection.num_abandoned >= num_live > 0
    assert all(t.weight_version == 5 for t in collection.trajectories)


def test_a_state_brings_back_what_was_under_way(make_engine):
    engine = make_engine(of_any_length, num_envs=6, tokens_per_step=60)
    collector = Collector(engine, ProblemStream(["add-0", "add-1"], seed=0), 4, max_staleness=2)
    collector.collect(0)
    while not any(len(e["turns"]) for e in engine.in_flight()):
        engine.advance()
    state = json.loads(json.dumps(collector.state()))
    fresh = make_engine(of_any_length, num_envs=6, tokens_per_step=60)
    resumed = Collector(fresh, ProblemStream(["add-0", "add-1"], seed=0), 4, max_staleness=2)
    resumed.restore(state)
    assert {(e["seed"], len(e["turns"])) for e in fresh.in_flight()} == {
        (e["seed"], len(e["turns"])) for e in engine.in_flight()
    }
    assert resumed.stream.position == collector.stream.position
    for trajectory in resumed.collect(1).trajectories:
        assert trajectory.private_passed
        assert [turn.reward for turn in trajectory.turns] == [0.0, 1.0]


def test_an_engine_that_paused_begins_its_replies_anew(make_engine):
    engine = make_engine(num_envs=2, tokens_per_step=60)
    engine.start(rollouts(2))
    engine.advance()
    engine.pause()
    assert engine.generator.num_unfinished == 0
    engine.go_on()
    assert engine.generator.num_unfinished == 2
    assert len(list(play(engine, []))) == 2


def test_groups_with_equal_rewards_are_told_from_others():
    def trajectory(group, reward):
        turn = TurnTokens(
            prompt_ids=[1], reply_ids=[2], reply_logprobs=[0.0], is_cut=False, weight_version=0
        )
        turn.reward = reward
        return Trajectory(problem_id="p", seed=0, turns=[turn], group=group)

    mixed = [trajectory(0, 1.0), trajectory(0, -1.0)]
    same = [trajectory(1, -1.0), trajectory(1, -1.0)]
    assert split_equal_groups([mixed[0], same[0], mixed[1], same[1]]) == (mixed, same)

from dataclasses import replace

import pytest
from examples import ADD, ADD_PUBLIC_ONLY, ADD_WRONG, SharedJudge, fenced
from scripted_tokens import CharacterChat, ScriptedTokens

from agents.generation.tokens import Sampling
from agents.ppo.evaluation import choose, evaluate, play_all, summarise, write_transcripts
from agents.ppo.rollout import DialogueLimits, Rollout, RolloutEngine
from agents.trajectory import Trajectory, TurnTokens
from codefeedback_env import EndedBy, Episode, Submission, Turn, read_episodes
from codefeedback_env.make import make_vector_env


def turn(reward=0.0, num_tokens=1, public_fraction=0.0, *, is_valid=True, is_cut=False):
    return TurnTokens(
        prompt_ids=[1],
        reply_ids=[2] * num_tokens,
        reply_logprobs=[-1.0] * num_tokens,
        is_cut=is_cut,
        weight_version=0,
        reward=reward,
        is_valid=is_valid,
        public_fraction=public_fraction,
    )


def trajectory(*turns, private_passed=False, seed=0):
    return Trajectory(problem_id="p", seed=seed, turns=list(turns), private_passed=private_passed)


def recorded(seed, private_passed):
    episode = Episode(
        problem_id="p",
        seed=seed,
        prompt="?",
        turns=(Turn(reply="!", submission=None, public_report=None, feedback="", reward=1.0),),
        reward=1.0,
        private_passed=private_passed,
        ended_by=EndedBy.TURN_LIMIT,
    )
    return replace(trajectory(turn(), private_passed=private_passed, seed=seed), episode=episode)


def test_scores_against_hand_worked_numbers():
    scores = summarise(
        [
            # right at once, 10 tokens
            trajectory(turn(1.0, 10, 1.0), private_passed=True),
            # invalid, then right: -0.2 + 1
            trajectory(turn(-0.2, 20, is_valid=False), turn(1.0, 30, 1.0), private_passed=True),
            # three turns; the last passes the public tests only
            trajectory(turn(0.0, 4, 0.5), turn(0.0, 5, 0.5), turn(-1.0, 6, 1.0)),
            # three turns, the last cut by the limit and invalid: -0.2 + 0 - 1
            trajectory(
                turn(-0.2, 1, is_valid=False),
                turn(0.0, 2),
                turn(-1.0, 3, is_valid=False, is_cut=True),
            ),
        ],
        turn_limit=3,
    )
    assert scores.num_episodes == 4
    assert scores.solve_rate == 2 / 4
    assert scores.solved_by_turn == [1 / 4, 2 / 4, 2 / 4]
    assert scores.public_pass_rate == 3 / 4
    assert scores.invalid_reply_rate == 3 / 9  # of 1 + 2 + 3 + 3 replies
    assert scores.cut_reply_rate == 1 / 9
    assert scores.mean_reward == pytest.approx((1.0 + 0.8 - 1.0 - 1.2) / 4)
    assert scores.mean_reply_tokens == (10 + 20 + 30 + 4 + 5 + 6 + 1 + 2 + 3) / 9
    assert scores.mean_turns == 9 / 4


def test_a_wrong_program_in_the_last_turn_is_not_solved_by_it():
    scores = summarise([trajectory(turn(), turn(-1.0))], turn_limit=2)
    assert scores.solved_by_turn == [0.0, 0.0]


def test_there_are_no_scores_of_nothing():
    with pytest.raises(ValueError, match="no episodes"):
        summarise([], turn_limit=3)


def test_every_problem_comes_up_equally_often_with_seeds_of_its_own():
    ids = [f"problem {i}" for i in range(5)]
    rollouts = choose(ids, None, 3, seed=0)
    assert rollouts == choose(ids, None, 3, seed=0)
    assert sorted(r.problem_id for r in rollouts) == sorted(ids * 3)
    assert len({r.seed for r in rollouts}) == 15
    groups = {(r.group, r.problem_id) for r in rollouts}
    assert len(groups) == 5  # a group is a problem


def test_fewer_problems_are_drawn_with_the_seed():
    ids = [f"problem {i}" for i in range(50)]
    chosen = [{r.problem_id for r in choose(ids, 4, 2, seed)} for seed in (0, 1)]
    assert [len(some) for some in chosen] == [4, 4]
    assert chosen[0] != chosen[1]
    assert {r.problem_id for r in choose(ids, 60, 1, 0)} == set(ids)


@pytest.mark.parametrize(
    ("num_solved", "num_others", "number", "expected"),
    [
        (5, 5, 4, (2, 2)),
        (5, 5, 3, (2, 1)),
        (1, 5, 4, (1, 3)),
        (5, 1, 4, (3, 1)),
        (5, 0, 4, (4, 0)),
        (1, 1, 4, (1, 1)),
        (0, 0, 4, (0, 0)),
    ],
)
def test_half_of_the_transcripts_are_of_solved_episodes_where_there_are_such(
    tmp_path, num_solved, num_others, number, expected
):
    trajectories = [recorded(seed, seed < num_solved) for seed in range(num_solved + num_others)]
    trajectories.append(trajectory(turn()))  # of another process, without its record
    path = tmp_path / "transcripts" / "some.jsonl"
    write_transcripts(path, trajectories, number)
    episodes = list(read_episodes(path))
    solved = sum(episode.private_passed for episode in episodes)
    assert (solved, len(episodes) - solved) == expected


@pytest.mark.sandbox
def test_an_evaluation_plays_real_episodes_and_does_not_depend_on_their_order(judge, add_set):
    """Of three problems: one right at once, one after feedback, one on public tests only."""

    def answer(prompt, seed):
        first = {10: ADD, 11: ADD_WRONG, 12: ADD_PUBLIC_ONLY}
        kind = next(name for name in ("right", "learner", "overfit") if name in prompt)
        if kind == "learner":
            return fenced(ADD if "failed the following tests" in prompt else first[11])
        return fenced(first[10] if kind == "right" else first[12])

    kinds = dict(zip(add_set.ids, ("right", "learner", "overfit"), strict=True))

    class NamingTheProblem(CharacterChat):
        """The prompt says which kind of agent plays."""

        def __init__(self):
            self.names = iter([kinds[r.problem_id] for r in rollouts])

        def prompt_ids(self, text, max_tokens):
            return super().prompt_ids(next(self.names) + text, max_tokens)

    rollouts = [Rollout(problem_id, seed, seed) for seed, problem_id in enumerate(add_set.ids)]
    seen = []
    for tokens_per_step in (3, 1_000_000):
        vec = make_vector_env(
            num_envs=3,
            autoreset_mode="Disabled",
            dataset=add_set,
            sandbox=SharedJudge(judge),
        )
        engine = RolloutEngine(
            vec,
            ScriptedTokens(answer, tokens_per_step),
            NamingTheProblem(),
            DialogueLimits(max_prompt=5_000, max_feedback=5_000, max_context=100_000),
            Sampling(max_new_tokens=1_000),
        )
        scores, trajectories = evaluate(engine, rollouts, turn_limit=3)
        assert play_all(engine, []) == []
        vec.close()
        seen.append([t.token_ids for t in trajectories])
        assert [t.problem_id for t in trajectories] == list(add_set.ids)
        assert scores.solve_rate == pytest.approx(2 / 3)
        assert scores.solved_by_turn == pytest.approx([1 / 3, 2 / 3, 2 / 3])
        assert scores.public_pass_rate == 1
        assert scores.mean_turns == pytest.approx(4 / 3)
    assert seen[0] == seen[1]


def test_submissions_of_records_survive(tmp_path):
    made = recorded(0, private_passed=True)
    assert made.episode is not None
    (only,) = made.episode.turns
    turns = (replace(only, submission=Submission("python3", "print(1)")),)
    made = replace(made, episode=replace(made.episode, turns=turns))
    write_transcripts(tmp_path / "some.jsonl", [made], 1)
    assert list(read_episodes(tmp_path / "some.jsonl")) == [made.episode]

import io
from pathlib import Path

import pytest
from rich.console import Console

from agents.ppo import dashboard
from agents.ppo.config import PPOConfig
from agents.ppo.dashboard import Dashboard, sparkline

CONFIG = PPOConfig(model="m", out=Path("runs/first"), num_iterations=3000)
SPENT = {
    "generate_s": 4.0,
    "judge_wait_s": 1.0,
    "env_s": 0.0,
    "score_s": 1.5,
    "update_s": 3.0,
    "sync_s": 0.5,
    "evaluate_s": 0.0,
    "checkpoint_s": 0.0,
}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(dashboard, "time", clock)
    return clock


def entry(iteration, **more):
    return {
        "iteration": iteration,
        "solve_rate": 0.375,
        "solved_by_turn_1": 0.125,
        "solved_by_turn_2": 0.25,
        "solved_by_turn_3": 0.375,
        "public_pass_rate": 0.5,
        "invalid_reply_rate": 0.0625,
        "mean_reply_tokens": 312.4,
        "kl": 0.0123,
        "approx_kl": 0.0021,
        "clip_fraction": 0.034,
        "explained_variance": 0.42,
        "entropy": 1.234,
        "staleness": 0.0,
        "num_sandbox_failures": 2,
        "tokens_per_s": 12345.6,
        "programs_per_s": 321.0,
        "iteration_s": 10.0,
        **SPENT,
        **more,
    }


def screen(shown, width=80):
    """What is on the terminal, line by line."""
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    with console.capture() as capture:
        console.print(shown._render())
    return capture.get().splitlines()


def row(lines, label):
    """The text after a label in a line of the screen."""
    (line,) = (line for line in lines if label in line)
    return " ".join(line.partition(label)[2].strip("│ ").split())


def on_terminal(config=CONFIG, iteration=0, width=80):
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    return Dashboard(config, iteration, console)


def test_before_the_first_iteration_it_says_what_is_going_on():
    shown = on_terminal()
    shown.phase("play")
    shown.collecting(7)
    lines = screen(shown)
    assert "runs/first" in lines[0]
    assert row(lines, "iterations").endswith("0/3000 -")
    assert row(lines, "episodes").endswith("7/1024 play")
    assert len(lines) == 4


def test_a_resumed_run_begins_where_it_stood():
    lines = screen(on_terminal(iteration=40))
    assert row(lines, "iterations").endswith("40/3000 -")


def test_numbers_of_the_last_iteration_are_shown(clock):
    shown = on_terminal()
    clock.now += 10
    shown.iteration(entry(1, valid_solve_rate=0.5))
    shown.iteration(entry(2, valid_solve_rate=0.25, kl=0.02))
    lines = screen(shown)
    assert row(lines, "solved by turn") == "12% 25% 38% tokens/s 12,346"
    assert row(lines, "public pass rate") == "50.0% programs/s 321"
    assert row(lines, "invalid replies") == "6.2% s per iteration 10.00"
    assert row(lines, "reply tokens") == "312 generate 40%"
    assert row(lines, "KL to reference") == "0.0200 wait for programs 10%"
    assert row(lines, "KL of the update") == "0.0021 score 15%"
    assert row(lines, "clipped") == "3.4% update 30%"
    assert row(lines, "explained variance") == "0.42 sync 5%"
    assert row(lines, "entropy") == "1.234"
    assert row(lines, "staleness") == "0.00"
    assert row(lines, "sandbox failures") == "4"  # 2 in each iteration
    assert row(lines, "validation") == "25.0% at iteration 2, best 50.0%"
    assert row(lines, "solved ▄") == "▄ 37.5%"  # 0.375 of 8 steps is the fourth


def test_time_left_is_what_iterations_took_times_those_to_come(clock):
    shown = on_terminal(iteration=1000)
    clock.now += 100
    shown.iteration(entry(1002))
    assert row(screen(shown), "iterations").endswith("1002/3000 27:45:00 left")  # 1998 of 50 s


def test_without_a_critic_there_is_no_explained_variance():
    shown = on_terminal()
    numbers = entry(1)
    del numbers["explained_variance"]
    shown.iteration(numbers)
    text = "\n".join(screen(shown))
    assert "explained variance" not in text
    assert "nan" not in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("turn_limit", [1, 3])
def test_everything_stands_in_its_frame(clock, width, turn_limit):
    config = PPOConfig(
        model="m",
        out=Path("runs/[bold]" + "long/" * 30),
        num_iterations=30_000,
        turn_limit=turn_limit,
    )
    shown = on_terminal(config, width=width)
    for iteration in range(1, 71):
        clock.now += 50
        shown.iteration(entry(iteration, solve_rate=1.0, valid_solve_rate=1.0, entropy=12.345))
    shown.phase("evaluate")
    shown.collecting(1024)
    lines = screen(shown, width)
    assert {len(line) for line in lines} == {width}
    assert lines[0].startswith("╭")
    assert lines[-1].startswith("╰")
    assert all(line[0] == line[-1] == "│" for line in lines[1:-1])
    assert len(lines) == 17  # frame, two bars, curve, validation, twelve rows: nothing wrapped
    assert "[bold]long/" in lines[0]
    # of 70 iterations the last 60, one of which is part of the label
    assert row(lines, "solved █") == "█" * 59 + " 100.0%"
    assert row(lines, "episodes").endswith("1024/1024 evaluate")


def test_on_a_terminal_the_screen_is_drawn_and_left_at_the_end():
    file = io.StringIO()
    console = Console(width=80, force_terminal=True, color_system=None, file=file)
    shown = Dashboard(CONFIG, 0, console)
    shown.start()
    shown.iteration(entry(1))
    shown.stop()
    assert "solved by turn" in file.getvalue()


def test_elsewhere_a_line_now_and_then(clock, capsys):
    shown = Dashboard(CONFIG, 0, Console(file=io.StringIO()))
    shown.start()
    for iteration in range(1, 26):
        clock.now += 1
        shown.iteration(entry(iteration))
    shown.stop()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3000", "11/3000", "21/3000"]
    assert lines[1] == (
        "iteration 11/3000  solved 37.5%  invalid 6.2%  kl 0.0123  12,346 tokens/s  0:49:49 left"
    )  # 2989 iterations of 1 s


def test_elsewhere_evaluations_and_the_last_iteration_have_their_line_at_once(clock, capsys):
    shown = Dashboard(CONFIG, 2997, Console(file=io.StringIO()))
    shown.iteration(entry(2998))
    shown.iteration(entry(2999, valid_solve_rate=0.5))
    shown.iteration(entry(3000))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["2998/3000", "2999/3000", "3000/3000"]
    assert "validation 50.0%" in lines[1]
    assert lines[2].endswith("0:00:00 left")


def test_sparks_rise_with_the_values_and_stay_on_the_scale():
    assert sparkline([0.0, 0.124, 0.125, 0.5, 0.99, 1.0]) == "▁▁▂▅██"
    assert sparkline([]) == ""

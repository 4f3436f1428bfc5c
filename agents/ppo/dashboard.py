"""A run on the terminal: how far, how well, how fast, and where the time goes."""

import sys
import time
from collections import deque
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from agents.ppo.config import PPOConfig

SPARKS = "▁▂▃▄▅▆▇█"
WIDTH = 60
PHASES = {
    "generate_s": "generate",
    "judge_wait_s": "wait for programs",
    "env_s": "environment",
    "score_s": "score",
    "update_s": "update",
    "sync_s": "sync",
    "evaluate_s": "evaluate",
    "checkpoint_s": "checkpoint",
}
SECONDS_BETWEEN_LINES = 10.0


class Dashboard:
    """Drawn anew a few times a second on a terminal; elsewhere a line now and then."""

    def __init__(self, config: PPOConfig, iteration: int, console: Console | None = None) -> None:
        """``iteration`` is where a resumed run stands."""
        self._config = config
        self._console = console or Console(stderr=True)
        self._first = iteration
        self._last: dict[str, Any] = {"iteration": iteration}
        self._num_ended = 0
        self._num_sandbox_failures = 0
        self._phase = "starting"
        self._began = time.monotonic()
        self._last_line = 0.0
        self._spent = dict.fromkeys(PHASES, 0.0)
        self._solved: deque[float] = deque(maxlen=WIDTH)
        self._valid: list[tuple[int, float]] = []
        self._live: Live | None = None

    def start(self) -> None:
        """Begin to draw."""
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._render, console=self._console, refresh_per_second=4
            )
            self._live.start()

    def stop(self) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()

    def phase(self, name: str) -> None:
        """What the run does now."""
        self._phase = name

    def collecting(self, num_ended: int) -> None:
        """So many episodes of this iteration have ended."""
        self._num_ended = num_ended

    def before_training(self, evaluation: dict[str, Any]) -> None:
        """The first evaluation."""
        self._valid.append((0, evaluation["valid_solve_rate"]))
        if self._live is None:
            rate = f"{evaluation['valid_solve_rate']:.1%}"
            print(f"before training: validation {rate}", file=sys.stderr, flush=True)

    def iteration(self, entry: dict[str, Any]) -> None:
        """The metrics of a finished iteration."""
        self._last = entry
        self._num_ended = 0
        self._num_sandbox_failures += entry["num_sandbox_failures"]
        self._solved.append(entry["solve_rate"])
        if "valid_solve_rate" in entry:
            self._valid.append((entry["iteration"], entry["valid_solve_rate"]))
        for name in PHASES:
            self._spent[name] += entry.get(name, 0.0)
        now = time.monotonic()
        is_due = now - self._last_line >= SECONDS_BETWEEN_LINES or "valid_solve_rate" in entry
        is_last = entry["iteration"] == self._config.num_iterations
        if self._live is None and (is_due or is_last):
            self._last_line = now
            print(self._line(entry), file=sys.stderr, flush=True)

    def _line(self, entry: dict[str, Any]) -> str:
        text = (
            f"iteration {entry['iteration']}/{self._config.num_iterations}  "
            f"solved {entry['solve_rate']:.1%}"
        )
        if "valid_solve_rate" in entry:
            text += f"  validation {entry['valid_solve_rate']:.1%}"
        text += (
            f"  invalid {entry['invalid_reply_rate']:.1%}  kl {entry['kl']:.4f}  "
            f"{entry['tokens_per_s']:,.0f} tokens/s  {self._eta()}"
        )
        return text

    def _eta(self) -> str:
        done = self._last["iteration"] - self._first
        if not done:
            return "-"
        per_iteration = (time.monotonic() - self._began) / done
        left = per_iteration * (self._config.num_iterations - self._last["iteration"])
        minutes, seconds = divmod(int(left), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left"

    def _render(self) -> Panel:
        config, entry = self._config, self._last
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(40),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        progress.add_task(
            "iterations",
            total=config.num_iterations,
            completed=entry["iteration"],
            note=self._eta(),
        )
        progress.add_task(
            "episodes", total=config.num_rollouts, completed=self._num_ended, note=self._phase
        )
        if "solve_rate" not in entry:
            return Panel(progress, title=Text(str(config.out)))
        curve = Text("solved ") + Text(sparkline(self._solved), style="green")
        curve.append(f" {entry['solve_rate']:.1%}")
        if self._valid:
            at, rate = self._valid[-1]
            best = max(rate for _, rate in self._valid)
            curve.append(f"\nvalidation {rate:.1%} at iteration {at}, best {best:.1%}")
        return Panel(Group(progress, curve, self._numbers(entry)), title=Text(str(config.out)))

    def _numbers(self, entry: dict[str, Any]) -> Table:
        turns = range(1, self._config.turn_limit + 1)
        learning = [
            ("solved by turn", " ".join(f"{entry[f'solved_by_turn_{t}']:.0%}" for t in turns)),
            ("public pass rate", f"{entry['public_pass_rate']:.1%}"),
            ("invalid replies", f"{entry['invalid_reply_rate']:.1%}"),
            ("reply tokens", f"{entry['mean_reply_tokens']:.0f}"),
            ("KL to reference", f"{entry['kl']:.4f}"),
            ("KL of the update", f"{entry['approx_kl']:.4f}"),
            ("clipped", f"{entry['clip_fraction']:.1%}"),
            *(
                [("explained variance", f"{entry['explained_variance']:.2f}")]
                if "explained_variance" in entry  # without a critic it is not
                else []
            ),
            ("entropy", f"{entry['entropy']:.3f}"),
            ("staleness", f"{entry['staleness']:.2f}"),
            ("sandbox failures", str(self._num_sandbox_failures)),
        ]
        total = sum(self._spent.values()) or 1.0
        speed = [
            ("tokens/s", f"{entry['tokens_per_s']:,.0f}"),
            ("programs/s", f"{entry['programs_per_s']:,.0f}"),
            ("s per iteration", f"{entry['iteration_s']:.2f}"),
            *(
                (label, f"{self._spent[name] / total:.0%}")
                for name, label in PHASES.items()
                if self._spent[name] / total >= 0.005
            ),
        ]
        table = Table(show_header=False, box=None, padding=(0, 2))
        for row in range(max(len(learning), len(speed))):
            left = learning[row] if row < len(learning) else ("", "")
            right = speed[row] if row < len(speed) else ("", "")
            table.add_row(*left, *right)
        return table


def sparkline(values: "deque[float] | list[float]") -> str:
    """A character for each value in [0, 1]."""
    return "".join(SPARKS[min(int(value * len(SPARKS)), len(SPARKS) - 1)] for value in values)

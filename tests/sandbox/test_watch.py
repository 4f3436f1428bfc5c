"""When a run has had its time, by a clock of the test's own."""

import pytest

from codefeedback_env.sandbox.zygote import watch as module
from codefeedback_env.sandbox.zygote.watch import Watch

CPU_LIMIT_S, WINDOW_S, BACKSTOP_S = 2.0, 5.0, 40.0


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def end_of(run, clock, cpu_per_second):
    """Wall seconds until it is over, looking as often as it asks to."""
    start = clock.now
    while True:
        clock.now += run.next_look_s()
        if run.is_over((clock.now - start) * cpu_per_second):
            return clock.now - start


def test_a_program_that_computes_has_its_cpu_time(clock):
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    assert end_of(run, clock, 1.0) == pytest.approx(CPU_LIMIT_S, abs=0.01)


def test_a_sleeper_has_one_window(clock):
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    assert end_of(run, clock, 0.001) == pytest.approx(WINDOW_S, abs=0.05)


def test_a_starved_program_goes_on_to_its_cpu_time(clock):
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    assert end_of(run, clock, 0.1) == pytest.approx(CPU_LIMIT_S / 0.1, rel=0.1)


def test_nothing_goes_on_beyond_the_backstop(clock):
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    assert end_of(run, clock, 0.0501) == pytest.approx(CPU_LIMIT_S / 0.0501, rel=0.15)
    run = Watch(3.0, 0.0, WINDOW_S, BACKSTOP_S)
    assert end_of(run, clock, 0.06) == pytest.approx(BACKSTOP_S, abs=0.05)


def test_a_clock_that_jumps_condemns_nobody(clock):
    """As where the whole machine stood still, and this program had just begun."""
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    clock.now += 3 * WINDOW_S
    assert not run.is_over(0.001)
    assert end_of(run, clock, 1.0) == pytest.approx(CPU_LIMIT_S, abs=0.01)


def test_where_cpu_time_cannot_be_measured_the_wall_clock_decides(clock):
    run = Watch(CPU_LIMIT_S, 0.0, WINDOW_S, BACKSTOP_S)
    while not run.is_over(None):
        clock.now += run.next_look_s()
    assert clock.now - 100.0 == pytest.approx(WINDOW_S, abs=0.05)

"""What a reply is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from codefeedback_env.problem import Pool
from codefeedback_env.verdicts import TestReport

Reports = Mapping[Pool, TestReport]


class Reward(Protocol):
    """Turns the end of an episode, and invalid replies before it, into numbers."""

    @property
    def needs_all_tests(self) -> bool:
        """Judge every test of a final reply instead of stopping at the first failure."""

    def final(self, reports: Reports, passed: bool) -> float:
        """For the final reply; ``passed`` says whether it passed every test of every pool."""

    def not_final(self, has_valid_code: bool) -> float:
        """For any reply before the final one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig:
    """The paper's reward: all or nothing at the end, a small penalty for replies without code.

    Source: Gehring et al. 2025, section 2.2.
    """

    success: float = 1.0
    failure: float = -1.0
    invalid_code: float = -0.2
    """For a reply before the final one with no block of code, or one that does not compile."""

    @property
    def needs_all_tests(self) -> bool:
        """See Reward."""
        return False

    def final(self, reports: Reports, passed: bool) -> float:
        """See Reward."""
        return self.success if passed else self.failure

    def not_final(self, has_valid_code: bool) -> float:
        """See Reward."""
        return 0.0 if has_valid_code else self.invalid_code


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionPassed:
    """The share of all tests that the final reply passed, in [0, 1].

    It tells the agent more about the hidden tests than the paper's reward does.
    """

    invalid_code: float = -0.2

    @property
    def needs_all_tests(self) -> bool:
        """See Reward."""
        return True

    def final(self, reports: Reports, passed: bool) -> float:
        """See Reward."""
        num_tests = sum(report.num_tests for report in reports.values())
        num_passed = sum(report.num_passed for report in reports.values())
        return num_passed / num_tests if num_tests else float(passed)

    def not_final(self, has_valid_code: bool) -> float:
        """See Reward."""
        return 0.0 if has_valid_code else self.invalid_code


REWARDS: dict[str, Reward] = {"paper": RewardConfig(), "fraction": FractionPassed()}

"""The benchmark of how busy a suite keeps the judge; its number is measured elsewhere."""

import pytest

from benchmarks.judging_share import EXPECTED_SHARE, measure


@pytest.mark.sandbox
def test_the_same_submissions_are_judged_in_both_ways() -> None:
    result = measure(num_episodes=4, num_envs=2, num_workers=1, repeats=1)
    (share,) = result["shares"]
    assert share == result["share"] > 0
    # Equal submissions take the suite and the judge alone these rates, so their ratio is the share.
    ratio = result["submissions_per_s"] / result["judge_submissions_per_s"]
    assert ratio == pytest.approx(share)
    assert result["holds"] == (share >= EXPECTED_SHARE)
    assert result["num_workers"] == 1

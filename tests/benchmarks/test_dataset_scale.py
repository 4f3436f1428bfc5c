import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
if sys.platform != "linux":
    pytest.skip("it reads /proc", allow_module_level=True)

from benchmarks import dataset_scale, dataset_scale_data
from codefeedback_env import load_problems


def test_the_made_up_data_is_code_contests_in_small(tmp_path: Path) -> None:
    share = 20 / dataset_scale_data.NUM_PROBLEMS
    written = dataset_scale_data.write(tmp_path / "data", share)
    problems = load_problems("code_contests", path=tmp_path / "data", split="train")
    assert len(problems) == written.num_problems == 20
    counts = [s.num_public_tests + s.num_hidden_tests for s in problems.summaries]
    assert sum(counts) == written.num_tests
    assert 80 < written.num_tests / 20 < 120  # 98 on average
    assert 0.5e6 < written.num_bytes / 20 < 3e6
    assert written.needed_bytes < written.num_bytes < written.raw_bytes
    assert problems.wrong_programs(problems.ids[0])


def test_a_run_measures_all_that_it_expects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--share", "0.0005", "--reads", "5", "--folder", str(tmp_path)]
    assert dataset_scale.main(options) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result["expected"]) <= set(result)
    assert result["num_problems"] == 7
    assert result["build_bytes_read"] < result["parquet_bytes"]
    assert list(tmp_path.iterdir()) == []

"""Where a run comes from, for those who did not start it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.evaluation.blocks import Section, Table
from benchmarks.evaluation.measures import Run


def origin_section(runs: Sequence[Run]) -> Section:
    """Suite, seed, agent, command, versions, hardware and data; one column for each run."""
    rows: list[list[str]] = []

    def add(name: str, *values: str) -> None:
        rows.append([name, *values])

    manifests = [run.manifest for run in runs]
    add("suite", *(f"{m['suite']}, SHA-256 {m['suite_hash'][:16]}" for m in manifests))
    add("seed", *(str(m["seed"]) for m in manifests))
    add("agent", *(_agent(m) for m in manifests))
    add("command", *(_of_parts(m, "command") for m in manifests))
    add("begun", *(m["parts"][0]["date"] for m in manifests))
    add("hardware", *(_of_parts(m, "hardware") for m in manifests))
    add("versions", *(_of_parts(m, "versions") for m in manifests))
    add("judged with", *(_judged_with(run) for run in runs))
    add("data", *("; ".join(_listed(row) for row in m["data"]) for m in manifests))
    add("conditions", *("; ".join(_listed(row) for row in m["cells"]) for m in manifests))
    add("wall time", *(_wall_time(m) for m in manifests))
    add("model's work", *(_spent(m) for m in manifests))
    caveats = [
        "; ".join(dict.fromkeys(text for s in m["parts"] for text in s.get("caveats", ())))
        for m in manifests
    ]
    add("caveats", *(text or "none" for text in caveats))
    return Section("Where it comes from", [Table(["", *(run.label for run in runs)], rows)])


def _wall_time(manifest: Mapping[str, Any]) -> str:
    """Parts that were killed did not say how long they took."""
    known = [s["wall_time_s"] for s in manifest["parts"] if "wall_time_s" in s]
    num_parts = len(manifest["parts"])
    text = f"{sum(known):.0f} s"
    return text if len(known) == num_parts else f"{text} in {len(known)} of {num_parts} parts"


def _agent(manifest: Mapping[str, Any]) -> str:
    settings = _listed(manifest["model"] or {})
    return f"{manifest['agent']}: {settings}" if settings else str(manifest["agent"])


def _spent(manifest: Mapping[str, Any]) -> str:
    """Completions and tokens of prompting agents; parts that were killed did not say theirs."""
    totals: dict[str, float] = defaultdict(float)
    for part in manifest["parts"]:
        for spent in part.get("spent", ()):
            for counts in spent["models"].values():
                for name, count in counts.items():
                    totals[name] += count or 0
    if not totals:
        return "not counted"
    text = (
        f"{totals['num_requests']:,.0f} completions, {totals['num_prompt_tokens']:,.0f} prompt "
        f"tokens, {totals['num_completion_tokens']:,.0f} reply tokens"
    )
    return f"{text}, cost {totals['cost']:,.2f}" if totals["cost"] else text


def _judged_with(run: Run) -> str:
    settings = [cell.settings for cell in run.cells.values() if cell.settings]
    names = ("sandbox", "python", "numpy", "judging", "checker", "time_factor")
    return "; ".join(dict.fromkeys(_listed({n: s.get(n) for n in names}) for s in settings))


def _of_parts(manifest: Mapping[str, Any], name: str) -> str:
    texts = []
    for part in manifest["parts"]:
        value = part[name]
        texts.append(_listed(value) if isinstance(value, dict) else str(value))
    return "; then ".join(dict.fromkeys(texts))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)

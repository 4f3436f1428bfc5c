"""Four programs that must come out right before a judge may work."""

from codefeedback_env.checkers import Comparison, Judging
from codefeedback_env.errors import SandboxUnavailableError
from codefeedback_env.judge.decide import decide
from codefeedback_env.sandbox.base import InputFile, Limits, Sandbox
from codefeedback_env.verdicts import Verdict

_LIMITS = Limits(cpu_time_s=0.25, memory_mib=128)
_STDIN, _EXPECTED = b"20 22\n", b"42\n"
_PROGRAMS = (
    (b"print(sum(map(int, input().split())))", Verdict.ACCEPTED),
    (b"print(41)", Verdict.WRONG_ANSWER),
    (b"while True:\n    pass", Verdict.TIME_LIMIT),
    (b"bytearray(8 << 30)", Verdict.MEMORY_LIMIT),
)


def self_test(sandbox: Sandbox) -> None:
    """Judge a right, a wrong, an endless and a greedy program.

    Raises:
        SandboxUnavailableError: a verdict came out wrong; judging on this machine cannot be
            trusted.
        SandboxError: the sandbox failed.
    """
    for source, expected_verdict in _PROGRAMS:
        (run,) = sandbox.run(source, [InputFile(_STDIN)], _LIMITS)
        verdict = decide(run, _STDIN, _EXPECTED, Comparison(), Judging.STRICT)
        if verdict is not expected_verdict:
            raise SandboxUnavailableError(
                f"the self-test of {sandbox.name} failed: {source.decode()!r} must be judged "
                f"{expected_verdict.value!r} but came out {verdict.value!r} "
                f"(exit status {run.exit_code}, signal {run.signal}, {run.cpu_time_s:.3f} CPU s, "
                f"{run.peak_memory_mib:.0f} MiB, stderr {run.stderr[-300:]!r})."
            )

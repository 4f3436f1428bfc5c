"""Inside the jail: what becomes of a source where functions are called, not programs run."""

from types import CodeType
from typing import Any

from codefeedback_env.sandbox.zygote import candidate, program, tester, values

CALL, SERVE, TEST = "call", "serve", "test"
"""Roles: call a function once; answer the calls of a test; be that test."""


def prepare(data: bytes, source: bytes) -> tuple[CodeType, dict[str, object], program.Run]:
    """Compile a source for its role; raises whatever the compiler raises.

    Args:
        data: ``values.encode`` of a dictionary with ``role`` and what that needs.
        source: the submission, or the test.

    Returns:
        Code, a namespace for it, and the function that runs it there and gives the exit status.
    """
    task: dict[str, Any] = values.decode(data)
    role = task["role"]
    if role == TEST:
        code = program.compile_source(source, tester.FILE_NAME)
        return code, program.fresh_main(), tester.prepare(task, source)
    code = program.compile_source(source)
    namespace = program.fresh_main()
    if role == CALL:
        candidate.provide_names(code, namespace)
    body = candidate.call if role == CALL else candidate.serve
    return code, namespace, lambda code, namespace: body(task, code, namespace)

"""Inside the jail: runs a submitted program for the sake of a function it defines.

Nothing here is trusted from the program's first line on. It only says what the program returned,
which is compared elsewhere.
"""

import json
import os
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

from codefeedback_env.sandbox.zygote import exchange, program, values

MODULE_NAME = "solution"  # what follows ``if __name__ == "__main__":`` is not for callers
RECURSION_LIMIT = 50_000

_BEFOREHAND = {
    "typing": "Any Callable DefaultDict Deque Dict FrozenSet Generator Iterable Iterator List "
    "Mapping NamedTuple Optional Sequence Set Tuple Type TypeVar Union",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "functools": "cache cmp_to_key lru_cache partial reduce",
    "itertools": "accumulate chain combinations combinations_with_replacement count cycle "
    "dropwhile groupby islice pairwise permutations product repeat starmap takewhile zip_longest",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
    "math": "ceil comb cos dist e exp factorial floor gcd hypot inf isqrt lcm log log10 log2 nan "
    "perm pi prod sin sqrt tan trunc",
    "copy": "copy deepcopy",
    "random": "randint",
    "string": "ascii_letters ascii_lowercase ascii_uppercase digits punctuation",
    "operator": "itemgetter attrgetter xor",
    "re": "",
    "datetime": "",
    "statistics": "mean median mode",
    "json": "",
    "sys": "",
}
"""What call-based programs use without importing it, since the statement's starter code does and
the original harness imports it (LiveCodeBench, lcb_runner/evaluation/testing_util.py)."""


def provide_names(code: CodeType, namespace: dict[str, object]) -> None:
    """Bind the customary names that the code mentions, as long as it does not bind them itself."""
    mentioned = program.names_in(code)
    for module_name, text in _BEFOREHAND.items():
        wanted = mentioned.intersection(text.split())
        if not wanted and module_name not in mentioned:
            continue
        module = __import__(module_name)
        for name in wanted:
            if hasattr(module, name):
                namespace.setdefault(name, getattr(module, name))
        namespace.setdefault(module_name, module)


def call(task: dict[str, Any], code: CodeType, namespace: dict[str, object]) -> int:
    """Call the function with the arguments in stdin, and put its result at the end of stdout.

    Args:
        task: ``name``; ``program_setup``; ``integer_keys``, whether a first argument whose keys are
            all written as integers gets integer keys.
        code: the program.
        namespace: where it runs.
    """
    sys.setrecursionlimit(RECURSION_LIMIT)
    text = _read_all(0).decode("utf-8", "surrogatepass")
    arguments = [json.loads(line) for line in text.split("\n") if line.strip()]
    if task["integer_keys"] and arguments:
        arguments[0] = _with_integer_keys(arguments[0])
    name = task["name"]
    if not _define(task, code, namespace):
        return 1
    try:
        result = _find(name, namespace)(*arguments)
    except SystemExit:
        return _complain(f"The program exited while `{name}` ran.")
    except BaseException as error:
        program.show(error)
        return 1
    try:
        if values.is_iterator(result):
            raise values.ValueTransferError("it is an iterator; return a list")
        data = values.encode(result)
    except values.ValueTransferError as error:
        return _complain(f"`{name}` returned what cannot be compared: {error}")
    exchange.write_result(data)
    return 0


def serve(task: dict[str, Any], code: CodeType, namespace: dict[str, object]) -> int:
    """Answer the calls of a test in another jail, until it hangs up.

    Args:
        task: ``name``, the function whose results may only be plain values; ``program_setup``.
        code: the program.
        namespace: where it runs.
    """
    connection = exchange.take_stdin()
    if not _define(task, code, namespace):
        return 1
    answers = _Answers(task["name"], namespace)
    while (message := exchange.receive(connection)) is not None:
        number, request = message
        answer = answers.to(request)
        try:
            exchange.send(connection, number, answer)
        except ConnectionError:
            break
    exchange.flush_streams()
    return 0


class _Answers:
    """What the program says when it is called."""

    def __init__(self, name: str, namespace: dict[str, object]) -> None:
        self._name = name
        self._namespace = namespace
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}

    def to(self, request: bytes) -> bytes:
        kind, *details = values.decode(request, self._objects.__getitem__)
        if kind == "look up":
            return values.encode({name: self._look_up(name) for name in details[0]})
        name, arguments, options = details
        try:
            result = _find(name, self._namespace)(*arguments, **options)
        except BaseException as error:
            return _raised(error)
        refer = None if name == self._name else self._refer
        try:
            returned = values.encode(result, refer)
        except values.ValueTransferError as error:
            return values.encode(("refused", f"`{name}` returned what cannot be compared: {error}"))
        try:
            after = values.encode(("call", name, arguments, options), self._known_number)
        except values.ValueTransferError as error:
            return values.encode(("refused", f"`{name}` put into an argument: {error}"))
        try:
            return values.encode(("returned", returned, None if after == request else after))
        except values.ValueTransferError as error:
            return values.encode(("refused", f"`{name}` returned what cannot be compared: {error}"))

    def _look_up(self, name: str) -> tuple[str, bytes]:
        if name not in self._namespace:
            return "missing", b""
        value = self._namespace[name]
        if callable(value):
            return "callable", b""
        try:
            return "value", values.encode(value, self._refer)
        except values.ValueTransferError:
            return "missing", b""

    def _refer(self, value: object) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)  # which keeps its id from being another's
        return number

    def _known_number(self, value: object) -> int:
        if id(value) not in self._numbers:
            kind = type(value).__name__
            raise values.ValueTransferError(f"it is, or holds, an object of type {kind!r}")
        return self._numbers[id(value)]


def _define(task: dict[str, Any], code: CodeType, namespace: dict[str, object]) -> bool:
    """Run the program's own statements; returns whether they came to their end."""
    namespace["__name__"] = MODULE_NAME
    sys.modules[MODULE_NAME] = sys.modules["__main__"]
    try:
        exec(code, namespace)
        if task["program_setup"]:
            exec(compile(task["program_setup"], "setup.py", "exec"), namespace)
    except SystemExit:
        _complain(f"The program exited before `{task['name']}` was called.")
        return False
    except BaseException as error:
        program.show(error)
        return False
    return True


def _find(name: str, namespace: dict[str, object]) -> Callable[..., Any]:
    solution = namespace.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        method: Callable[..., Any] = getattr(solution(), name)
        return method
    function = namespace.get(name)
    if not callable(function):
        raise NameError(f"the program defines no function {name!r}")
    return function


def _raised(error: BaseException) -> bytes:
    import traceback

    frames = error.__traceback__
    text = "".join(traceback.format_exception(type(error), error, frames and frames.tb_next))
    base = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    details: Any
    for details in (error.args, (str(error),), ()):
        try:
            return values.encode(("raised", base, details, text[-(64 << 10) :]))
        except values.ValueTransferError:
            continue
    return values.encode(("raised", base, (), ""))


def _complain(text: str) -> int:
    """Put a line behind what the program wrote to stderr; returns the exit status for it."""
    exchange.flush_streams()
    os.write(2, f"{text}\n".encode())
    return 1


def _with_integer_keys(value: Any) -> Any:
    if isinstance(value, dict):
        try:
            return {int(key): item for key, item in value.items()}
        except ValueError:
            pass
    return value


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)

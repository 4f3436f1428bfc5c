"""Inside the tester's jail: runs test code whose calls another jail answers.

The test is trusted, the answers are not: they are plain values, read with ``values.decode``.
"""

import _signal
import builtins
import dis
import os
import sys
from collections.abc import Callable, Iterable
from types import CodeType, TracebackType
from typing import Any

from codefeedback_env.sandbox.zygote import exchange, explain, program, values

FILE_NAME = "test.py"

PASSED = "passed"
FAILED = "failed"
"""An assertion of the test did not hold; the text says which values met."""

RAISED = "raised"
"""The program raised, or gave something that is no value; the text is its traceback."""

MISFIT = "misfit"
"""The test could not go on with what the program had returned; the text is the error."""

GONE = "gone"
"""The program ended before it had answered."""

GARBLED = "garbled"
"""An answer could not be read."""

BROKEN = "broken"
"""The test failed before the program had a part in it."""

MAX_DIGITS_SHOWN = 10_000
MAX_TEXT_CHARS = 64 << 10
EXPLAINING_CPU_TIME_S = 1.0
_NUMBER_BYTES = 8
_RAISABLE = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and kind not in (StopIteration, StopAsyncIteration)  # iteration in the test would just end
}


class CandidateError(Exception):
    """The program raised what is no builtin Exception, or the end of an iteration."""


class _LostError(BaseException):
    """There will be no more answers; not for test code to catch."""


class Handle:
    """An object that stays with the program: it can be handed back and nothing else."""

    __slots__ = ("_number",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, number: int) -> None:
        """``number`` is the program's name for it."""
        self._number = number

    def __eq__(self, other: object) -> bool:
        """Refused, or the program would decide on the test."""
        raise TypeError("an object of the program's own types cannot be compared")

    def __bool__(self) -> bool:
        """Refused likewise."""
        raise TypeError("an object of the program's own types is neither true nor false")


def prepare(task: dict[str, Any], source: bytes) -> program.Run:
    """What runs a test, which the caller has compiled.

    Args:
        task: ``name`` of the function under test; ``reply_prefix``; ``test_setup``; ``explain``,
            whether a failed assertion is to be put into words.
        source: the test.
    """
    setup = [
        *_compile_prefix(task["reply_prefix"]),
        compile(task["test_setup"], "test_setup.py", "exec"),
    ]
    explained = explain.compile_explaining(source, FILE_NAME) if task["explain"] else None

    def run(code: CodeType, namespace: dict[str, object]) -> int:
        connection = exchange.take_stdin()
        candidate = _Candidate(connection, keep_record=explained is not None)
        outcome, text = _run_test(candidate, task["name"], setup, code, namespace)
        _write_result(outcome, text)
        if outcome == FAILED and explained is not None:
            exchange.send_end(connection)  # the program's time is not for explanations
            # Behind the first result, which stands if this should take too long.
            _signal.signal(_signal.SIGPROF, _signal.SIG_DFL)
            _signal.setitimer(_signal.ITIMER_PROF, EXPLAINING_CPU_TIME_S)
            text = _explanation(candidate, task["name"], setup, explained) or text
            _signal.setitimer(_signal.ITIMER_PROF, 0)
            _write_result(outcome, text)
        return 0 if outcome == PASSED else 1

    return run


def _write_result(outcome: str, text: str) -> None:
    # What was raised is in a traceback's last line.
    text = text[-MAX_TEXT_CHARS:] if outcome == RAISED else text[:MAX_TEXT_CHARS]
    exchange.write_result(values.encode((outcome, text)))


def _run_test(
    candidate: "_Candidate",
    name: str,
    setup: Iterable[CodeType],
    code: CodeType,
    namespace: dict[str, object],
) -> tuple[str, str]:
    """How the test came out, and a text about it."""
    outcome, text = PASSED, ""
    try:
        _fill(namespace, candidate, name, setup, code)
        exec(code, namespace)
        swallowed = candidate.text_of_swallowed()
        if swallowed is not None:
            outcome, text = RAISED, swallowed
    except _LostError:
        pass
    except BaseException as error:
        raised = candidate.text_of(error)
        if raised is not None:
            outcome, text = RAISED, raised
        elif isinstance(error, AssertionError):
            outcome, text = FAILED, _message(error) or "AssertionError"
        else:
            # A SystemExit of the test itself is no end like any other.
            outcome = MISFIT if candidate.num_answers else BROKEN
            text = f"{type(error).__name__}: {_message(error)}"
    # Last, since test code may have caught what it must not.
    return candidate.loss or (outcome, text)


def _explanation(
    candidate: "_Candidate", name: str, setup: Iterable[CodeType], code: CodeType
) -> str | None:
    """What is wrong, from the same answers once more; None where the test took another course."""
    candidate.rewind()
    sys.stdout = sys.stderr  # nothing is to follow the first result before the second does
    for seed in program.random_seeders():
        seed()
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(MAX_DIGITS_SHOWN)
    namespace = program.fresh_main()
    namespace[explain.CHECK] = explain.check
    try:
        _fill(namespace, candidate, name, setup, code)
        exec(code, namespace)
    except AssertionError as error:
        return _message(error)
    except BaseException:
        return None
    return None


def _fill(
    namespace: dict[str, object],
    candidate: "_Candidate",
    name: str,
    setup: Iterable[CodeType],
    code: CodeType,
) -> None:
    """Everything that the test may refer to: trusted code first, the program's names last."""
    for part in setup:
        exec(part, namespace)
    namespace[name] = namespace["candidate"] = candidate.function(name)
    unknown = sorted(
        mentioned
        for mentioned in program.names_in(code)
        if mentioned not in namespace and not hasattr(builtins, mentioned)
    )
    for mentioned in set(unknown) & program.PRELOADED:
        namespace[mentioned] = __import__(mentioned)
    if unknown and (wanted := _free_names(code).intersection(unknown) - namespace.keys()):
        namespace.update(candidate.look_up(sorted(wanted)))


class _Candidate:
    """The program in the other jail."""

    def __init__(self, connection: int, keep_record: bool) -> None:
        self.num_answers = 0
        self.loss: tuple[str, str] | None = None
        self._connection = connection
        self._record: list[tuple[bytes, bytes]] = []
        self._keep_record = keep_record
        self._replay: list[tuple[bytes, bytes]] | None = None
        self._raised: list[tuple[BaseException, str]] = []
        self._handles: dict[int, Handle] = {}

    def function(self, name: str) -> Callable[..., Any]:
        """A function that calls the program's."""

        def call(*arguments: Any, **options: Any) -> Any:
            request = values.encode(("call", name, arguments, options), _number_of)
            kind, *details = self._decode(self._ask(request), 2)
            if kind == "returned":
                returned, after = details
                if after is not None:
                    _, _, new_arguments, new_options = self._decode(after, 4)
                    _update(arguments, new_arguments)
                    _update(options, new_options)
                return self._decode(returned)
            # The interpreter itself gives it a traceback only when it is caught, up to Python 3.11.
            here = TracebackType(None, sys._getframe(), 0, 1)
            raise self._error(kind, details).with_traceback(here)

        call.__name__ = call.__qualname__ = name
        return call

    def look_up(self, names: list[str]) -> dict[str, object]:
        """What the program's global variables of these names hold, as far as there are any."""
        found = self._decode(self._ask(values.encode(("look up", names))))
        known: dict[str, object] = {}
        try:
            for name, (kind, data) in found.items():
                if name in names and kind == "callable":
                    known[name] = self.function(name)
                elif name in names and kind == "value":
                    known[name] = self._decode(data)
        except (TypeError, ValueError, AttributeError) as error:
            raise self._lost(GARBLED, str(error)) from None
        return known

    def text_of(self, error: BaseException) -> str | None:
        """The text to an error that a call raised, None for others."""
        return next((text for raised, text in self._raised if raised is error), None)

    def text_of_swallowed(self) -> str | None:
        """The text to an error that a call raised and no statement of the test has caught."""
        return next((text for error, text in self._raised if not _was_caught(error)), None)

    def rewind(self) -> None:
        """From now on give the same answers to the same questions, and no others."""
        self._replay = self._record[::-1]

    def _ask(self, request: bytes) -> bytes:
        if self.loss is not None:
            raise _LostError
        if self._replay is not None:
            asked, answer = self._replay.pop() if self._replay else (b"", b"")
            if asked != request:
                raise _LostError
            return answer
        number = int.from_bytes(os.urandom(_NUMBER_BYTES), "little")
        try:
            exchange.send(self._connection, number, request)
            message = exchange.receive(self._connection)
        except ConnectionError:
            message = None
        except values.ValueTransferError as error:
            raise self._lost(GARBLED, str(error)) from None
        if message is None:
            raise self._lost(GONE, "")
        if message[0] != number:
            raise self._lost(GARBLED, "it does not belong to the call")
        if not self.num_answers:
            exchange.note_answer()
        self.num_answers += 1
        if self._keep_record:
            self._record.append((request, message[1]))
        return message[1]

    def _decode(self, data: Any, num_items: int = 0) -> Any:
        """A value from the program; with ``num_items`` a tuple of at least so many."""
        try:
            if type(data) is not bytes:
                raise values.ValueTransferError("bytes are missing")
            value = values.decode(data, self._handle)
            if num_items and (type(value) is not tuple or len(value) < num_items):
                raise values.ValueTransferError("a part is missing")
        except values.ValueTransferError as error:
            raise self._lost(GARBLED, str(error)) from None
        return value

    def _error(self, kind: object, details: list[Any]) -> BaseException:
        match kind, details:
            case "raised", [str(name), tuple(arguments), str(text)]:
                try:
                    error = _RAISABLE.get(name, CandidateError)(*arguments)
                except Exception:
                    error = CandidateError(name)
            case "refused", [str(text)]:
                error = TypeError(text)
            case _:
                return self._lost(GARBLED, "it is no answer")
        self._raised.append((error, text))
        return error

    def _lost(self, outcome: str, text: str) -> BaseException:
        self.loss = self.loss or (outcome, text)
        return _LostError()

    def _handle(self, number: int) -> Handle:
        return self._handles.setdefault(number, Handle(number))


def _was_caught(error: BaseException) -> bool:
    """Whether an error that came no further was caught by a statement.

    Built-in functions swallow some: a loop over an object with ``__getitem__`` ends at an
    IndexError, ``hasattr`` says no to an AttributeError. An error that is caught has come as far as
    the frame of the ``try`` or ``with``; one that is swallowed, only to a frame below.
    """
    if error.__traceback__ is None:
        return True  # whoever takes the traceback away has the error: unittest's assertRaises does
    code = error.__traceback__.tb_frame.f_code
    handlers = getattr(code, "co_exceptiontable", None)  # since Python 3.11
    if handlers is not None:
        return bool(handlers)
    return any(step.opname.startswith("SETUP_") for step in dis.get_instructions(code))


def _update(old: Any, new: Any) -> None:
    """Make the containers in ``old`` hold what those in ``new`` do, as far as they correspond."""
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        kept = [_updated(a, b) for a, b in zip(old, new, strict=False)]
        old[:] = kept + new[len(kept) :]
    elif isinstance(old, tuple):
        for a, b in zip(old, new, strict=False):
            _update(a, b)
    elif isinstance(old, dict):
        kept_items = {key: _updated(old.get(key), item) for key, item in new.items()}
        old.clear()
        old.update(kept_items)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new


def _updated(old: Any, new: Any) -> Any:
    """``old`` with the contents of ``new`` where it is a container like it, else ``new``."""
    if type(old) is type(new) and isinstance(old, list | dict | set | bytearray):
        _update(old, new)
        return old
    return new


def _number_of(value: object) -> int:
    if type(value) is Handle:
        return value._number
    raise values.ValueTransferError(
        f"a test passes an object of type {type(value).__name__!r}, which cannot be sent"
    )


def _compile_prefix(prefix: str) -> list[CodeType]:
    """The prefix of replies as code, its last function without a body; none where it is no code."""
    for body in ("", "    pass\n"):
        try:
            return [compile(prefix + body, "prefix.py", "exec")]
        except SyntaxError:
            continue
    return []


def _free_names(code: CodeType) -> set[str]:
    """Global variables that code reads and does not bind."""
    loaded, bound = set(), set()
    todo = [code]
    while todo:
        part = todo.pop()
        todo += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
        for instruction in dis.get_instructions(part):
            if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
                loaded.add(instruction.argval)
            elif instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
                bound.add(instruction.argval)
    return loaded - bound


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as other:
        return f"<{type(other).__name__} while the message was made>"

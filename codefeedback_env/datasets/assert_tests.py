"""Taking test code apart into single asserts."""

import ast
import warnings
from collections.abc import Sequence

from codefeedback_env.problem import TestCase


def parse_source(source: str) -> ast.Module:
    """The syntax tree of Python source; ValueError where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in the source
            return ast.parse(source)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not valid Python: {error}") from error


def assert_test(source: str) -> TestCase:
    """The test that runs ``source``."""
    return TestCase(source, "")


def split_check(source: str, name: str) -> tuple[TestCase, ...]:
    """The asserts in the function ``check(candidate)`` of ``source``, one test for each.

    ``candidate`` is replaced by ``name``. See ``split_asserts``.

    Raises:
        ValueError: the source is not valid Python, or has no such function.
    """
    tree = parse_source(source)
    checks = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "check"]
    if len(checks) != 1 or len(checks[0].args.args) != 1:
        raise ValueError("there is no function check(candidate)")
    renamed = _Rename(checks[0].args.args[0].arg, name)
    around = [n for n in tree.body if n is not checks[0] and not _is_metadata(n)]
    return split_asserts([*around, *(renamed.visit(n) for n in checks[0].body)], name)


def split_asserts(statements: Sequence[ast.stmt], name: str) -> tuple[TestCase, ...]:
    """One test for each statement that asserts something about the function ``name``.

    A statement with an assert in it (a loop, say) stays whole. The statements before it that bind
    names which it uses, directly or through each other, go with it, so each test runs alone.
    Statements that show nothing about the function (``assert True``, a bare name) are left out.
    Where the asserts cannot be told apart safely, because one that does not call the function looks
    at variables, all statements together are one test.
    """
    tests: list[TestCase] = []
    helpers: list[ast.stmt] = []
    for statement in statements:
        used = _names(statement, ast.Load)
        if not any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            if not _does_nothing(statement):
                helpers.append(statement)
        elif name in used:
            needed = _needed(helpers, used)
            tests.append(assert_test(_source([*needed, statement])))
        elif used:
            return (assert_test(_source(statements)),)
    return tuple(tests)


def called_names(source: str) -> list[str]:
    """The names of the functions that source calls, in order of their first call.

    Raises:
        ValueError: it is not valid Python.
    """
    calls = [node for node in ast.walk(parse_source(source)) if isinstance(node, ast.Call)]
    names = [node.func.id for node in calls if isinstance(node.func, ast.Name)]
    return list(dict.fromkeys(names))


def defined_names(source: str) -> list[str]:
    """The names that source binds at its top level by def, class or assignment.

    Raises:
        ValueError: it is not valid Python.
    """
    return [name for node in parse_source(source).body for name in sorted(_bound(node))]


def _needed(helpers: Sequence[ast.stmt], used: set[str]) -> list[ast.stmt]:
    needed: list[ast.stmt] = []
    wanted = set(used)
    for helper in reversed(helpers):
        bound = _bound(helper)
        # A statement that binds nothing, such as ``values.sort()``, may change what it names.
        names = _names(helper, ast.Load)
        if bound & wanted or (not bound and names & wanted):
            needed.insert(0, helper)
            wanted |= names
    return needed


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    return _names(statement, ast.Store)


def _names(statement: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }


def _does_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name | ast.Constant)
    )


def _is_metadata(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and _names(statement, ast.Store) == {"METADATA"}


def _source(statements: Sequence[ast.stmt]) -> str:
    return "\n".join(ast.unparse(statement) for statement in statements)


class _Rename(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self._old = old
        self._new = new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        new = self._new if node.id == self._old else node.id
        return ast.copy_location(ast.Name(new, node.ctx), node)

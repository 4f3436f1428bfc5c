"""Inside the tester's jail: what a failed assertion of a test says about the values that met.

Assertions are rewritten into calls that evaluate the same expressions in the same order, once, and
word a failure as unittest's methods do. Verdicts come from the test as it is written.

Source of the wording: Gehring et al. 2025, appendix C.4, which names ``unittest.TestCase``.
"""

import ast
import operator
from collections.abc import Callable
from types import CodeType
from typing import Any

CHECK = "__check_assertion__"
_MAX_CHARS = 1 << 14

_COMPARISONS: dict[str, tuple[Callable[..., Any], str]] = {
    "Eq": (operator.eq, "assertEqual"),
    "NotEq": (operator.ne, "assertNotEqual"),
    "Lt": (operator.lt, "assertLess"),
    "LtE": (operator.le, "assertLessEqual"),
    "Gt": (operator.gt, "assertGreater"),
    "GtE": (operator.ge, "assertGreaterEqual"),
    "Is": (operator.is_, "assertIs"),
    "IsNot": (operator.is_not, "assertIsNot"),
    "In": (lambda a, b: a in b, "assertIn"),
    "NotIn": (lambda a, b: a not in b, "assertNotIn"),
    "Not": (operator.not_, "assertFalse"),
    "True": (operator.truth, "assertTrue"),
}


def compile_explaining(source: bytes, file_name: str) -> CodeType:
    """The test with every assertion a call of ``check``, to be found under the name CHECK."""
    tree = ast.fix_missing_locations(_Rewriter().visit(ast.parse(source, file_name)))
    code: CodeType = compile(tree, file_name, "exec", dont_inherit=True)
    return code


def check(kind: str, message: Callable[[], object] | None, *operands: Any) -> None:
    """Raise an AssertionError that says what the operands are, unless they are as they should be.

    Args:
        kind: a key of the table of comparisons.
        message: gives the assertion's own message.
        operands: what is compared.
    """
    compare, method = _COMPARISONS[kind]
    if compare(*operands):
        return
    import unittest

    own = None if message is None else message()
    try:
        getattr(unittest.TestCase(), method)(*operands, own)
    except AssertionError as error:
        raise AssertionError(str(error)[:_MAX_CHARS]) from None
    raise AssertionError("" if own is None else own)


class _Rewriter(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        match node.test:
            case ast.Compare(left=left, ops=[comparison], comparators=[right]):
                kind, operands = type(comparison).__name__, [left, right]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                kind, operands = "Not", [operand]
            case test:
                kind, operands = "True", [test]
        message: ast.expr = ast.Constant(None)
        if node.msg is not None:
            nothing = ast.arguments(
                posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
            )
            message = ast.Lambda(args=nothing, body=node.msg)
        called = ast.Name(CHECK, ast.Load())
        call = ast.Call(func=called, args=[ast.Constant(kind), message, *operands], keywords=[])
        return ast.copy_location(ast.Expr(call), node)

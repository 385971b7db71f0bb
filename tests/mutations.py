"""Programs a little different from a right one: most of them are wrong."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(program: str, function: str) -> list[str]:
    """Every program that differs from this one by one change inside a function of it, in its order."""
    tree = ast.parse(program)
    count = len(list(_places(_body(tree, function))))
    return [_mutant(tree, function, place) for place in range(count)]


def _body(tree: ast.Module, function: str) -> ast.FunctionDef:
    """The last of that name is the one that counts."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function][-1]


def _places(body: ast.FunctionDef) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(body) if _changes(node))


def _changes(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.Compare(ops=[operator]):
            return type(operator) in _OPERATORS
        case ast.Constant(value=bool() | int()):
            return True
        case ast.If() | ast.Return(value=ast.expr()):
            return True
    return False


def _mutant(tree: ast.Module, function: str, place: int) -> str:
    mutated = copy.deepcopy(tree)
    _change(list(_places(_body(mutated, function)))[place])
    return ast.unparse(mutated)


def _change(node: ast.AST) -> None:
    """Another operator, one more, a branch never taken, nothing given back."""
    match node:
        case ast.BinOp() | ast.BoolOp():
            node.op = _OPERATORS[type(node.op)]()  # type: ignore[assignment]
        case ast.Compare():
            node.ops = [_OPERATORS[type(node.ops[0])]()]  # type: ignore[list-item]
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value)):
            node.value = value + 1
        case ast.If():
            node.test = ast.Constant(False)
        case ast.Return():
            node.value = ast.Constant(None)

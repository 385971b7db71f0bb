"""The facts of a Python file, read from its syntax and never run."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence

from .python_facts import ClassFacts, Constant, FunctionFacts, Import, Parameter, PythonFacts, Raised
from .python_spans import spans_of

Definition = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ast.If | ast.Try | ast.With
_FIELDS = ("field", "Field", "ib", "attrib")
"""What describes a field of a class instead of being its value: of dataclasses, pydantic, attrs."""

_DEEPEST = 200
"""Levels of indentation that are looked into; real code has ten."""


def python_facts(text: str, tree: ast.Module) -> PythonFacts:
    """The facts of a file.

    Args:
        text: of which ``tree`` is the syntax.

    Raises:
        RecursionError: where it is nested too deep.
    """
    lines = text.split("\n")  # splitlines knows more line ends than Python does
    body = list(_statements(tree.body))
    functions = [_function(node, "", lines) for node in body if isinstance(node, Definition)]
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    for owner in classes:
        members = _statements(owner.body)
        functions += [_function(node, owner.name, lines) for node in members if isinstance(node, Definition)]
    return PythonFacts(
        tuple(sorted(functions, key=lambda one: (one.first, one.name))),
        tuple(map(_class, classes)),
        tuple(_constants(tree.body)),
        tuple(_import(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)),
        tuple(sorted(set(_spots(tree)))),
    )


def _statements(body: Iterable[ast.stmt], depth: int = 0) -> Iterator[ast.stmt]:
    """The statements of a body, those in its ``if``, ``try`` and ``with`` too."""
    for node in body:
        yield node
        if isinstance(node, _BLOCKS) and depth < _DEEPEST:
            handlers = [one for handler in getattr(node, "handlers", ()) for one in handler.body]
            inner = [*node.body, *getattr(node, "orelse", ()), *handlers, *getattr(node, "finalbody", ())]
            yield from _statements(inner, depth + 1)


def _function(node: Definition, owner: str, lines: Sequence[str]) -> FunctionFacts:
    returns = ast.unparse(node.returns) if node.returns else ""
    decorators = tuple(ast.unparse(one) for one in node.decorator_list)
    parameters = tuple(_parameters(node.args))
    if owner and parameters and "staticmethod" not in decorators:
        parameters = parameters[1:]
    arrow = f" -> {returns}" if returns else ""
    return FunctionFacts(
        node.name,
        owner,
        f"{node.name}({ast.unparse(node.args)}){arrow}",
        parameters,
        returns,
        tuple(dict.fromkeys(_raised(node.body))),
        inspect.cleandoc(ast.get_docstring(node, clean=False) or "").strip(),
        _code(node, lines),
        first_line(node),
        node.end_lineno or node.lineno,
        decorators,
        _needs(node),
        isinstance(node, ast.AsyncFunctionDef) and not _yields(node.body),
        tuple(spans_of(node, lines, first_line(node))),
    )


def _yields(body: Iterable[ast.stmt]) -> bool:
    """Whether it makes a function a generator; what stands in functions within it does not."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, Definition | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def first_line(node: Definition | ast.ClassDef) -> int:
    """That of its first decorator, or its own. An expression in parentheses can begin below its ``@``."""
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _parameters(given: ast.arguments) -> Iterator[Parameter]:
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    yield from (_parameter(one, default) for one, default in zip(positional, defaults, strict=True))
    if given.vararg:
        yield _parameter(given.vararg, None, "*")
    yield from (
        _parameter(one, value) for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    )
    if given.kwarg:
        yield _parameter(given.kwarg, None, "**")


def _parameter(given: ast.arg, default: ast.expr | None, stars: str = "") -> Parameter:
    annotation = ast.unparse(given.annotation) if given.annotation else ""
    return Parameter(stars + given.arg, annotation, ast.unparse(default) if default else None)


def _raised(body: Iterable[ast.stmt], condition: str = "") -> Iterator[Raised]:
    """The ``raise`` statements of a function, not those of functions in it."""
    for node in body:
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(called, ast.Name | ast.Attribute):
                yield Raised(ast.unparse(called), condition)
        elif isinstance(node, ast.If):
            yield from _raised(node.body, ast.unparse(node.test))
            yield from _raised(node.orelse)
        elif not isinstance(node, Definition | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from _raised(getattr(node, name, ()))
            for inner in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                yield from _raised(inner.body)


def _code(node: Definition, lines: Sequence[str]) -> str:
    """The function without its docstring, which stands on lines of its own or is left where it is."""
    first, last = first_line(node), node.end_lineno or node.lineno
    kept = list(lines[first - 1 : last])
    if ast.get_docstring(node, clean=False) is not None:
        said = node.body[0]
        after = node.body[1].lineno if len(node.body) > 1 else last + 1
        if said.lineno <= node.lineno or after <= (said.end_lineno or said.lineno) or len(node.body) < 2:
            return ""
        del kept[said.lineno - first : (said.end_lineno or said.lineno) - first + 1]
    return dedented(kept)


def dedented(lines: Sequence[str]) -> str:
    """Lines without the blanks that stand before the first of them, as far as they have them."""
    kept = [line.rstrip("\r") for line in lines]
    margin = len(kept[0]) - len(kept[0].lstrip()) if kept else 0
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in kept).rstrip()


def is_literal(text: str) -> bool:
    """Whether an expression is a value as it is written, and nothing has to be called or looked up for it."""
    try:
        ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def unquoted(annotation: str) -> str:
    """An annotation without the quotes of names that were not defined yet (PEP 484, forward references)."""
    try:
        return ast.unparse(_Unquoted().visit(ast.parse(annotation, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return annotation


class _Unquoted(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """The texts in a ``Literal`` are values; those in an ``Annotated`` can be anything."""
        name = ast.unparse(node.value).rsplit(".", 1)[-1]
        return node if name in ("Literal", "Annotated") else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.parse(node.value.strip(), mode="eval").body if isinstance(node.value, str) else node


def _field_default(value: ast.expr | None) -> str | None:
    """What a field is without a value given: of a ``field(...)`` its ``default``, where it has one."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).rsplit(".", 1)[-1] in _FIELDS:
        value = next((one.value for one in value.keywords if one.arg == "default"), None)
    return ast.unparse(value) if value else None


def _class(node: ast.ClassDef) -> ClassFacts:
    fields = [
        Parameter(one.target.id, ast.unparse(one.annotation), _field_default(one.value))
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return ClassFacts(
        node.name,
        tuple(map(ast.unparse, node.bases)),
        tuple(fields),
        any("dataclass" in ast.unparse(one) for one in node.decorator_list),
        ast.get_docstring(node) or "",
        first_line(node),
        node.end_lineno or node.lineno,
    )


def _constants(body: Iterable[ast.stmt]) -> Iterator[Constant]:
    found: dict[str, list[Constant]] = {}
    for node in _statements(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else None
        for target in targets:
            if value is not None and isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(Constant(target.id, ast.unparse(value), node.lineno))
    yield from (known[0] for known in found.values() if len(known) == 1 and known[0].name.isupper())


def _import(node: ast.Import | ast.ImportFrom) -> Import:
    names = frozenset(one.asname or one.name.split(".")[0] for one in node.names)
    inside = node.module or "" if isinstance(node, ast.ImportFrom) and not node.level else ""
    module = node.names[0].name if isinstance(node, ast.Import) else inside
    return Import(ast.unparse(node), module.split(".")[0], names)


def _needs(node: Definition) -> frozenset[str]:
    read, bound = set[str](), set[str]()
    for one in ast.walk(node):
        match one:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.Import() | ast.ImportFrom():
                bound |= _import(one).names
            case _:
                pass
    return frozenset(read - bound)


def _spots(tree: ast.Module) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            is_said = ast.get_docstring(node, clean=False) is not None
            for one in _statements(node.body[is_said:]):
                yield one.lineno, one.end_lineno or one.lineno

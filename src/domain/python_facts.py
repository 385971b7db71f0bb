"""What a Python file says of its functions, classes and constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as it is written; ``name`` has the stars that it has."""

    name: str
    annotation: str = ""
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that a function raises itself.

    Attributes:
        condition: of the ``if`` that stands directly around it, whose body it is in; empty without one.
    """

    exception: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a function that something can be asked about.

    Attributes:
        kind: ``headed``, ``raised``, ``commented`` or ``returned``.
        said: the exception, or the comment.
        text: the lines, moved to the margin.
        first, last: lines, 1-based.
    """

    kind: str
    said: str
    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function or a method.

    Attributes:
        owner: the class it is a method of; empty for a function of the module.
        signature: ``name(arguments) -> type``.
        parameters: without ``self`` and ``cls``.
        returns: the annotation; empty without one.
        raised: each once, in order.
        docstring: as ``inspect.cleandoc`` gives it.
        code: its lines without the docstring, moved to the margin; empty where they share a line with it.
        first, last: lines, 1-based, decorators included.
        needs: names that it reads and does not bind itself: of the module, or built in.
        is_awaited: whether a call gives what it is annotated with only when it is awaited.
        spans: lines that answer a question.
    """

    name: str
    owner: str
    signature: str
    parameters: tuple[Parameter, ...]
    returns: str
    raised: tuple[Raised, ...]
    docstring: str
    code: str
    first: int
    last: int
    decorators: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    is_awaited: bool = False
    spans: tuple[Span, ...] = ()

    @property
    def called(self) -> str:
        """``Class.method``, or the name of a function."""
        return f"{self.owner}.{self.name}" if self.owner else self.name


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class of a module.

    Attributes:
        bases: as they are written.
        fields: annotated names of its body.
        is_dataclass: whether its fields are what it is called with.
    """

    name: str
    bases: tuple[str, ...]
    fields: tuple[Parameter, ...]
    is_dataclass: bool
    docstring: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A name in capitals that the module sets once, to something short."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement, the outermost module that it is of (empty: relative), the names that it binds."""

    text: str
    module: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """All that is read of one file.

    Attributes:
        imports: those of its top level.
        spots: (first, last) lines of statements inside functions, docstrings left out.
    """

    functions: tuple[FunctionFacts, ...]
    classes: tuple[ClassFacts, ...]
    constants: tuple[Constant, ...]
    imports: tuple[Import, ...]
    spots: tuple[tuple[int, int], ...]

    def top_level(self) -> Iterator[tuple[str, int, int]]:
        """Name and lines of what stands at the margin."""
        yield from ((one.name, one.first, one.last) for one in self.functions if not one.owner)
        yield from ((one.name, one.first, one.last) for one in self.classes)
        yield from ((one.name, one.line, one.line) for one in self.constants)

"""YAML to values with places, and back.

PyYAML follows YAML 1.1, where ``1e-4`` is text, ``yes`` is a boolean, ``010`` is eight and the last of two
equal keys wins. Here plain scalars mean what the core schema of YAML 1.2 says (https://yaml.org/spec/1.2.2,
section 10.3.2), and equal keys, tags, NaN and infinity are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml

from ...domain.errors import UsageError
from .document import Document, Keys, Origin, Where
from .problems import cut, quoted
from .yaml_limits import Locate, check_limits

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_OTHER_BREAKS = re.compile(r"[\r\x85\u2028\u2029]")
_LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    column: int


def _mark(text: str, position: int) -> _Mark:
    return _Mark(text.count("\n", 0, position), position - text.rfind("\n", 0, position) - 1)


class _PlainLoader(yaml.SafeLoader):
    """Decides nothing about scalars, so that ``plain_value`` does."""

    yaml_implicit_resolvers: Any = MappingProxyType({})


class _PlainDumper(yaml.SafeDumper):
    """Writes what ``read_yaml`` reads back as the same value."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Line breaks other than \n are folded into spaces everywhere but between double quotes.
    is_safe = plain_value(text) == text and not _OTHER_BREAKS.search(text)
    style = None if is_safe else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainDumper.add_representer(str, _represent_text)


class _BlockDumper(_PlainDumper):
    """Writes it so that a person can read and compare long texts."""


def _represent_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" not in text or _OTHER_BREAKS.search(text):
        return _represent_text(dumper, text)
    # The library takes quotes by itself where a block cannot hold the text.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")


_BlockDumper.add_representer(str, _represent_block)


def write_yaml(value: Any) -> str:
    """Maps, lists and scalars as YAML, keys in their order."""
    return yaml.dump(value, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)


def write_readable_yaml(value: Any) -> str:
    """The same, with texts of several lines as they are read: line by line, behind a bar."""
    return yaml.dump(value, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=110)


def inline_yaml(value: Any) -> str:
    """A value on one line, as it goes behind a key."""
    text = yaml.dump(
        value, Dumper=_PlainDumper, default_flow_style=True, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("...\n").strip()


def read_yaml(text: str, locate: Locate, *, texts: bool = False) -> Document:
    """The values of a YAML text; what can be said of single values is in the document's problems.

    Args:
        locate: makes a place of a mark; None stands for the whole text.
        texts: whether every scalar stays the text that it is.

    Raises:
        UsageError: C025 to C029, when the text as a whole cannot be read.
    """
    try:
        check_limits(yaml.parse(text, Loader=_PlainLoader), locate)
        root = yaml.compose(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as cause:
        raise _syntax_error(
            cause.problem or str(cause), locate(cause.problem_mark or cause.context_mark)
        ) from cause
    except yaml.reader.ReaderError as cause:
        raise _syntax_error(
            "a character that YAML does not allow", locate(_mark(text, cause.position))
        ) from cause
    except (ValueError, OverflowError) as cause:  # an escape such as "\UFFFFFFFF"
        raise _syntax_error("an escape that names no character", locate(None)) from cause
    document = Document(texts=texts)
    if root is not None:
        document.origins[()] = Origin.of(locate(root.start_mark), locate(root.start_mark))
        document.value = _value(root, (), document, locate)
    return document


def plain_value(text: str) -> Any:
    """What a scalar without quotes means; NaN and infinity come back as floats."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, base=0)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return float(text) if _FLOAT.fullmatch(text) else text


def _value(node: yaml.Node, keys: Keys, document: Document, locate: Locate) -> Any:
    match node:
        case yaml.MappingNode():
            return _map(node, keys, document, locate)
        case yaml.SequenceNode():
            for index, item in enumerate(node.value):
                place = locate(item.start_mark)
                document.origins[*keys, index] = Origin.of(place, place)
            return [_value(item, (*keys, index), document, locate) for index, item in enumerate(node.value)]
        case yaml.ScalarNode():
            return _scalar(node, keys, document, locate)
    raise AssertionError(node)


def _map(node: yaml.MappingNode, keys: Keys, document: Document, locate: Locate) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        origin = Origin.of(locate(key_node.start_mark), locate(value_node.start_mark))
        if not isinstance(key_node, yaml.ScalarNode):
            problem = "C029", "a list or a map cannot be a key", "write the key as plain text"
        elif key_node.value in values:
            first = document.origins[*keys, key_node.value].key
            key = quoted(key_node.value)
            problem = "C002", f"the key {key} is given twice", f"keep one of them; the first is at {first}"
        elif has_surrogate(key_node.value):
            problem = "C026", "a key holds half a surrogate pair", "write the character itself"
        else:
            document.origins[*keys, key_node.value] = origin
            values[key_node.value] = _value(value_node, (*keys, key_node.value), document, locate)
            continue
        code, what, fix = problem
        document.problems.append(UsageError(code, what, where=origin.key, fix=fix))
    return values


def _scalar(node: yaml.ScalarNode, keys: Keys, document: Document, locate: Locate) -> Any:
    text: str = node.value
    value = plain_value(text) if node.style is None and not document.texts else text
    if isinstance(value, float) and not math.isfinite(value):
        problem = UsageError(
            "C004",
            f"{cut(text)} is not a finite number",
            where=locate(node.start_mark),
            fix="write a number such as 2e-4",
        )
    elif isinstance(value, str) and has_surrogate(value):
        problem = UsageError(
            "C026",
            "text holds half a surrogate pair",
            where=locate(node.start_mark),
            fix="write the character itself",
        )
    else:
        return value
    document.report(keys, problem)
    return None


def has_surrogate(text: str) -> bool:
    """Whether it holds what no encoding can write: half of a pair, often a byte that was not UTF-8."""
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _syntax_error(problem: str, where: Where) -> UsageError:
    if "'\\t'" in problem:
        fix = "YAML indents with spaces only: replace the tab"
    elif "mapping values" in problem:
        fix = 'put text that contains ": " between quotes, and indent keys of one section alike'
    elif "single document" in problem or "another document" in problem:
        fix = "keep one document: remove the line ---"
    else:
        fix = "look at the indentation, the quotes and the brackets of this line and the one before"
    return UsageError("C026", f"not valid YAML: {cut(problem)}", where=where, fix=fix)

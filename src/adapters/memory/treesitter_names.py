"""What a definition is called, in the languages where this is not the field ``name`` alone."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from .treesitter_grammar import TextOf, field_name

_FUNCTIONS = frozenset(
    {
        "arrow_function",
        "function_expression",
        "generator_function",
        "class",
        "function",
        "function_definition",
    }
)
_RECORDS = frozenset({"struct_specifier", "union_specifier", "enum_specifier", "class_specifier"})


def c_name(node: Node, text: TextOf) -> str:
    """Inside the declarators: ``f`` of ``int *f(void) {}``. A record that is only mentioned has none."""
    if node.type in _RECORDS and not node.child_by_field_name("body"):
        return ""
    if node.type == "type_definition":
        kind = node.child_by_field_name("type")
        if not kind or kind.type not in _RECORDS or not kind.child_by_field_name("body"):
            return ""
    inner = node.child_by_field_name("declarator")
    if inner is None:
        return field_name(node, text)
    while further := _declarator(inner):
        inner = further
    return text(inner)


def _declarator(node: Node) -> Node | None:
    if node.type in ("reference_declarator", "parenthesized_declarator", "attributed_declarator"):
        return next((child for child in node.named_children if child.type.endswith("declarator")), None)
    return node.child_by_field_name("declarator")


def go_name(node: Node, text: TextOf) -> str:
    """A method is called ``Type.name``."""
    name = field_name(node, text)
    receiver = node.child_by_field_name("receiver")
    if receiver is None:
        return name
    kind = text(receiver).strip("() \t").split("[")[0].replace("*", " ").split()
    return f"{kind[-1]}.{name}" if kind else name


def rust_name(node: Node, text: TextOf) -> str:
    """An ``impl`` is called as its type."""
    kind = node.child_by_field_name("type") if node.type == "impl_item" else None
    return text(kind).split("<")[0] if kind else field_name(node, text)


def script_name(node: Node, text: TextOf) -> str:
    """In JavaScript and TypeScript a variable, a field or a property is what its function is assigned to."""
    if node.type in (
        "assignment_expression",
        "variable_declarator",
        "field_definition",
        "public_field_definition",
    ):
        value = node.child_by_field_name("right") or node.child_by_field_name("value")
        if value is None or value.type not in _FUNCTIONS:
            return ""
        name = node.child_by_field_name("left") or node.child_by_field_name("property")
        return text(name) if name else field_name(node, text)
    return field_name(node, text)


def lua_name(node: Node, text: TextOf) -> str:
    """``M.f = function() end`` defines ``M.f``."""
    if node.type != "assignment_statement":
        return field_name(node, text)
    sides = node.named_children
    if len(sides) != 2 or not any(value.type in _FUNCTIONS for value in sides[1].named_children):
        return ""
    return text(sides[0])


def sql_name(node: Node, text: TextOf) -> str:
    """The first object that is named."""
    return next((text(child) for child in node.named_children if child.type == "object_reference"), "")


def kotlin_name(node: Node, text: TextOf) -> str:
    """An extension is called ``Type.name``, a companion ``Companion`` unless it has a name."""
    name = field_name(node, text) or ("Companion" if node.type == "companion_object" else "")
    return ".".join([*_receiver(node, text), name]) if name else ""


def _receiver(node: Node, text: TextOf) -> Iterator[str]:
    if node.type == "function_declaration":
        for child in node.children:
            if child.type == ".":
                before = child.prev_named_sibling
                if before:
                    yield text(before)
            if child.type in ("identifier", "function_value_parameters"):
                return


def swift_name(node: Node, text: TextOf) -> str:
    """``init`` and ``deinit`` have no name but their keyword."""
    keywords = {"init_declaration": "init", "deinit_declaration": "deinit"}
    return keywords.get(node.type) or field_name(node, text)


def php_name(node: Node, text: TextOf) -> str:
    """A namespace without a body defines nothing."""
    if node.type == "namespace_definition" and not node.child_by_field_name("body"):
        return ""
    return field_name(node, text)


def toml_name(node: Node, text: TextOf) -> str:
    """The key of the table."""
    first = node.named_child(0) if node.named_child_count else None
    return text(first) if first else ""

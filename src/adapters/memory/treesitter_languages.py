"""The languages that are cut along their syntax."""

from __future__ import annotations

from collections.abc import Mapping

from tree_sitter import Node

from .python_outline import python_outline
from .treesitter_grammar import Grammar
from .treesitter_names import (
    c_name,
    go_name,
    kotlin_name,
    lua_name,
    php_name,
    rust_name,
    script_name,
    sql_name,
    swift_name,
    toml_name,
)


def _kinds(**kinds: str) -> Mapping[str, str]:
    """Node types by kind, turned around."""
    return {node_type: kind for kind, row in kinds.items() for node_type in row.split()}


def _types(row: str) -> frozenset[str]:
    return frozenset(row.split())


def _python_docstring(body: Node) -> tuple[int, int] | None:
    statement = body.named_child(0) if body.named_child_count else None
    if statement is None or statement.type != "expression_statement":
        return None
    string = statement.named_child(0) if statement.named_child_count else None
    if string is None or string.type != "string":
        return None
    first, last = string.child(0), string.child(string.child_count - 1)
    return (first.end_byte, last.start_byte) if first and last else None


_PYTHON = Grammar(
    name="python",
    module="tree_sitter_python",
    definitions=_kinds(function="function_definition", **{"class": "class_definition"}),
    wrappers=_types("decorated_definition"),
    leads=_types("comment decorator"),
    bodies=_types("block"),
    opaque=_types("comment string concatenated_string dictionary list set tuple"),
    docstring=_python_docstring,
    outline=python_outline,
)

_SCRIPT_FUNCTIONS = """function_declaration generator_function_declaration method_definition
    variable_declarator assignment_expression field_definition public_field_definition function_signature"""
_SCRIPT_CLASSES = """class_declaration abstract_class_declaration interface_declaration enum_declaration
    type_alias_declaration"""


def _script(name: str, module: str, function: str = "language") -> Grammar:
    return Grammar(
        name=name,
        module=module,
        function=function,
        definitions=_kinds(
            function=_SCRIPT_FUNCTIONS, module="internal_module module", **{"class": _SCRIPT_CLASSES}
        ),
        wrappers=_types("export_statement lexical_declaration variable_declaration expression_statement"),
        leads=_types("comment decorator"),
        bodies=_types("statement_block class_body interface_body enum_body switch_body"),
        opaque=_types("comment string regex"),
        named=script_name,
    )


_C_RECORDS = "struct_specifier union_specifier enum_specifier type_definition"


def _c(name: str, classes: str = "", modules: str = "", wrappers: str = "") -> Grammar:
    return Grammar(
        name=name,
        module=f"tree_sitter_{name}",
        definitions=_kinds(
            function="function_definition preproc_function_def",
            module=modules,
            **{"class": f"{_C_RECORDS} {classes}"},
        ),
        wrappers=_types(wrappers),
        bodies=_types("compound_statement field_declaration_list declaration_list enumerator_list"),
        opaque=_types("comment string_literal raw_string_literal preproc_arg"),
        named=c_name,
    )


_GO = Grammar(
    name="go",
    module="tree_sitter_go",
    definitions=_kinds(
        function="function_declaration method_declaration", **{"class": "type_spec type_alias"}
    ),
    wrappers=_types("type_declaration"),
    bodies=_types("block statement_list field_declaration_list import_spec_list"),
    opaque=_types("comment interpreted_string_literal raw_string_literal"),
    named=go_name,
)

_RUST = Grammar(
    name="rust",
    module="tree_sitter_rust",
    definitions=_kinds(
        function="function_item macro_definition",
        module="mod_item",
        **{"class": "struct_item enum_item union_item trait_item impl_item"},
    ),
    leads=_types("line_comment block_comment attribute_item"),
    bodies=_types("block declaration_list field_declaration_list enum_variant_list match_block"),
    opaque=_types("line_comment block_comment string_literal raw_string_literal"),
    named=rust_name,
)

_JAVA = Grammar(
    name="java",
    module="tree_sitter_java",
    definitions=_kinds(
        function="method_declaration constructor_declaration compact_constructor_declaration",
        **{
            "class": """class_declaration interface_declaration enum_declaration record_declaration
            annotation_type_declaration"""
        },
    ),
    leads=_types("line_comment block_comment"),
    bodies=_types(
        """block class_body interface_body enum_body enum_body_declarations constructor_body
        annotation_type_body switch_block"""
    ),
    opaque=_types("line_comment block_comment string_literal"),
)

_CSHARP = Grammar(
    name="csharp",
    module="tree_sitter_c_sharp",
    definitions=_kinds(
        function="""method_declaration constructor_declaration destructor_declaration
        local_function_statement""",
        module="namespace_declaration",
        **{
            "class": """class_declaration struct_declaration interface_declaration enum_declaration
            record_declaration"""
        },
    ),
    bodies=_types("block declaration_list accessor_list enum_member_declaration_list switch_body"),
    opaque=_types("comment string_literal verbatim_string_literal raw_string_literal"),
)

_RUBY = Grammar(
    name="ruby",
    module="tree_sitter_ruby",
    definitions=_kinds(function="method singleton_method", **{"class": "class module"}),
    bodies=_types("body_statement block_body then do"),
    opaque=_types("comment heredoc_body regex"),
)

_PHP = Grammar(
    name="php",
    module="tree_sitter_php",
    function="language_php",
    definitions=_kinds(
        function="function_definition method_declaration",
        module="namespace_definition",
        **{"class": "class_declaration interface_declaration trait_declaration enum_declaration"},
    ),
    leads=_types("comment attribute_list"),
    bodies=_types("compound_statement declaration_list enum_declaration_list match_block switch_block"),
    opaque=_types("comment string heredoc nowdoc text"),
    named=php_name,
)

_KOTLIN = Grammar(
    name="kotlin",
    module="tree_sitter_kotlin",
    definitions=_kinds(
        function="function_declaration",
        **{"class": "class_declaration object_declaration companion_object"},
    ),
    leads=_types("line_comment block_comment"),
    bodies=_types("class_body enum_class_body function_body block"),
    opaque=_types("line_comment block_comment"),
    named=kotlin_name,
)

_SWIFT = Grammar(
    name="swift",
    module="tree_sitter_swift",
    definitions=_kinds(
        function="function_declaration init_declaration deinit_declaration",
        **{"class": "class_declaration protocol_declaration"},
    ),
    leads=_types("comment multiline_comment"),
    bodies=_types("class_body protocol_body enum_class_body function_body statements"),
    opaque=_types("comment multiline_comment"),
    named=swift_name,
)

_SCALA = Grammar(
    name="scala",
    module="tree_sitter_scala",
    definitions=_kinds(
        function="function_definition",
        **{"class": "class_definition trait_definition object_definition enum_definition package_object"},
    ),
    leads=_types("comment block_comment"),
    bodies=_types("template_body block case_block indented_block indented_cases enum_body"),
    opaque=_types("comment block_comment string"),
)

_LUA = Grammar(
    name="lua",
    module="tree_sitter_lua",
    definitions=_kinds(function="function_declaration assignment_statement"),
    wrappers=_types("variable_declaration"),
    bodies=_types("block"),
    opaque=_types("comment string"),
    named=lua_name,
)

_BASH = Grammar(
    name="bash",
    module="tree_sitter_bash",
    definitions=_kinds(function="function_definition"),
    bodies=_types("compound_statement do_group"),
    opaque=_types("comment heredoc_body raw_string"),
)

_SQL = Grammar(
    name="sql",
    module="tree_sitter_sql",
    definitions=_kinds(
        function="create_function create_procedure create_trigger",
        **{"class": "create_table create_view create_materialized_view create_type"},
    ),
    wrappers=_types("statement"),
    leads=_types("comment marginalia"),
    bodies=_types("column_definitions"),
    opaque=_types("comment marginalia literal"),
    named=sql_name,
)

_TOML = Grammar(
    name="toml",
    module="tree_sitter_toml",
    definitions=_kinds(module="table table_array_element"),
    opaque=_types("comment string"),
    named=toml_name,
)


def _data(name: str, bodies: str = "", opaque: str = "comment") -> Grammar:
    """A language in which nothing is defined."""
    return Grammar(
        name=name,
        module=f"tree_sitter_{name}",
        definitions={},
        bodies=_types(bodies),
        opaque=_types(opaque),
    )


JSON = _data("json", opaque="comment string")

GRAMMARS: Mapping[str, Grammar] = {
    grammar.name: grammar
    for grammar in (
        _PYTHON,
        _script("javascript", "tree_sitter_javascript"),
        _script("typescript", "tree_sitter_typescript", "language_typescript"),
        _GO,
        _RUST,
        _JAVA,
        _c("c"),
        _c("cpp", "class_specifier concept_definition", "namespace_definition", "template_declaration"),
        _CSHARP,
        _RUBY,
        _PHP,
        _KOTLIN,
        _SWIFT,
        _SCALA,
        _LUA,
        _BASH,
        _SQL,
        _TOML,
        JSON,
        _data("html", opaque="comment text raw_text"),
        _data("css", bodies="block keyframe_block_list"),
    )
} | {"tsx": _script("typescript", "tree_sitter_typescript", "language_tsx")}
"""Grammars by the language's name; TypeScript with XML in it has a grammar of its own."""

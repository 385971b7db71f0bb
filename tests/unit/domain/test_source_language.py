from __future__ import annotations

import pytest

from cesello.domain.source_language import source_language


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a/b.py", "", "python"),
        ("a/b.PYI", "", "python"),
        ("a.b/c.tsx", "", "tsx"),
        ("a.mts", "", "typescript"),
        ("lib.rs", "", "rust"),
        ("a.h", "int f(void);\n", "c"),
        ("a.h", "  namespace a {\n", "cpp"),
        ("a.h", "#pragma once\nclass A;\n", "cpp"),
        ("a.h", "struct template_list *classes;\n", "c"),
        ("notes.ipynb", "{}", "notebook"),
        ("README.md", "", "markdown"),
        ("Makefile", "all:\n", "makefile"),
        ("Makefile.am", "all:\n", "makefile"),
        ("sub/Dockerfile", "FROM a\n", "dockerfile"),
        ("Dockerfile.test", "FROM a\n", "dockerfile"),
        ("CMakeLists.txt", "", "cmake"),
        ("Gemfile", "", "ruby"),
        ("Cargo.lock", "", "toml"),
        (".bashrc", "", "bash"),
        ("run", "#!/usr/bin/env python3\n", "python"),
        ("run", "#!/usr/bin/env -S python3.11 -u\n", "python"),
        ("run", "#! /bin/sh\n", "bash"),
        ("run", "#!/usr/bin/node", "javascript"),
        ("run", "#!/usr/local/bin/lua5.4\n", "lua"),
        ("run", "#!/usr/bin/env A=1 ruby\n", "ruby"),
        ("run", "#!/usr/bin/unknown\n", "text"),
        ("run", "#!", "text"),
        ("run.py", "#!/bin/sh\n", "python"),
        ("data.xyz", "", "xyz"),
        ("LICENSE", "", "text"),
        ("strange\nname.py", "", "python"),
        ("🙂.js", "", "javascript"),
        ("", "", "text"),
    ],
)
def test_name_then_suffix_then_first_line(path: str, text: str, language: str) -> None:
    assert source_language(path, text) == language

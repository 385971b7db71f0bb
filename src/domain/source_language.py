"""In which language a file is written, by its name, its first line and, for C headers, its text."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_SUFFIXES = {
    "bash": "sh bash bats ksh zsh ebuild",
    "c": "c h",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ inl ipp tpp cu cuh",
    "csharp": "cs csx",
    "css": "css",
    "go": "go",
    "html": "html htm xhtml vue",
    "java": "java",
    "javascript": "js jsx mjs cjs",
    "json": "json jsonl ndjson geojson webmanifest jsonc json5",
    "kotlin": "kt kts",
    "lua": "lua rockspec",
    "markdown": "md markdown mdx mdc mkd mdown",
    "notebook": "ipynb",
    "php": "php phtml php5 php7",
    "python": "py pyi pyw bzl star",
    "ruby": "rb rake gemspec ru podspec",
    "rust": "rs",
    "scala": "scala sc sbt",
    "sql": "sql ddl dml psql",
    "swift": "swift",
    "toml": "toml",
    "tsx": "tsx",
    "typescript": "ts mts cts",
    "yaml": "yaml yml",
}
_BY_SUFFIX = {f".{suffix}": language for language, row in _SUFFIXES.items() for suffix in row.split()}

_NAMES = {
    "bash": ".bashrc .bash_profile .bash_aliases .profile .zshrc .envrc pkgbuild",
    "cmake": "cmakelists.txt",
    "dockerfile": "dockerfile containerfile",
    "json": ".babelrc .eslintrc .prettierrc composer.lock .watchmanconfig",
    "makefile": "makefile gnumakefile bsdmakefile",
    "python": "sconstruct sconscript wscript build.bazel workspace.bazel build workspace",
    "ruby": "rakefile gemfile guardfile vagrantfile podfile brewfile fastfile capfile",
    "toml": "cargo.lock poetry.lock uv.lock pdm.lock pipfile",
    "yaml": ".clang-format .clang-tidy .clangd",
}
_BY_NAME = {name: language for language, row in _NAMES.items() for name in row.split()}

_INTERPRETERS = {
    "bash": "sh bash dash ksh zsh ash",
    "javascript": "node nodejs bun",
    "lua": "lua luajit",
    "php": "php",
    "python": "python pypy",
    "ruby": "ruby jruby",
    "scala": "scala",
    "swift": "swift",
    "typescript": "deno ts-node tsx",
}
_BY_INTERPRETER = {name: language for language, row in _INTERPRETERS.items() for name in row.split()}

_SHEBANG = re.compile(
    r"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-\S+[ \t]+|\w+=\S+[ \t]+)*(?:\S*/)?)?([\w-]+?)[\d.]*(?:\s|$)"
)
_CPP = re.compile(
    r"^[ \t]*(?:class|namespace|template|using|public:|private:|protected:)(?:\W|$)", re.MULTILINE
)


def source_language(path: str, text: str) -> str:
    """The name of the language; the suffix where it is not a known one, and ``text`` without a suffix.

    The file's name counts before its suffix, and the interpreter of its first line
    (``#!/usr/bin/env python3``) only where neither tells. A header ``.h`` is C++ when a line begins as none
    of C does.
    """
    file = PurePosixPath(path)
    name, suffix = file.name.lower(), file.suffix.lower()
    known = _BY_NAME.get(name) or _BY_SUFFIX.get(suffix)
    if known is None and name.split(".")[0] in ("dockerfile", "makefile"):
        known = name.split(".")[0]
    if suffix == ".h" and _CPP.search(text):
        known = "cpp"
    if known is None and text.startswith("#!"):
        known = _interpreted(text)
    return known or suffix[1:] or "text"


def _interpreted(text: str) -> str | None:
    found = _SHEBANG.match(text[:200])
    return _BY_INTERPRETER.get(found[1]) if found else None

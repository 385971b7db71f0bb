"""What the documentation site has besides docs/: the reference, the project's own pages, and mended links.

mkdocs calls the functions by name (mkdocs.yml, ``hooks``). Pages in docs/ are as they are read elsewhere:
what they link to outside of it is a page of the site too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import docs_reference as reference

ROOT = reference.ROOT
_OWN = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages beside docs/ that are shown as well."""

_TABLE = "<!-- every program, by tools/docs_reference.py -->"


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are no files of docs/."""
    from mkdocs.structure.files import File

    pages = {
        "reference/commands.md": reference.commands_page(),
        "reference/recipe.md": reference.recipe_page(),
        "reference/python.md": reference.python_page(),
        **{f"project/{name.lower()}": _moved((ROOT / name).read_text(encoding="utf-8")) for name in _OWN},
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to what lies beside docs/, and the table of benchmarks."""
    markdown = markdown.replace(_TABLE, reference.benchmarks_table())
    up = "../" * page.file.src_uri.count("/")

    def mended(found: re.Match[str]) -> str:
        return f"]({up}project/{found[1].lower()}{found[2] or ''})" if found[1] in _OWN else found[0]

    return re.sub(r"\]\((?:\.\./)+([A-Z]+\.md)(#[\w-]+)?\)", mended, markdown)


def _moved(text: str) -> str:
    """A page of the top level, as it links from project/."""
    text = re.sub(r"\]\(docs/([\w./#-]+)\)", r"](../\1)", text)
    return re.sub(
        r"\]\(((?:CHANGELOG|CONTRIBUTING|SECURITY)\.md)\)", lambda one: f"]({one[1].lower()})", text
    )

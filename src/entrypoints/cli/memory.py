"""``cesello memory``: look after what is remembered."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...domain.errors import StoreError
from .memory_options import config_option, set_option
from .output import echo_json, printable

_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def memory() -> None:
    """Look after what `cesello remember` has read."""


@memory.command()
@click.option("--files", is_flag=True, help="List the files.")
@config_option
@set_option
@_json_option
def status(files: bool, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what is remembered, by what it was made, and whether the index is up to date."""
    from ...domain.remembered import IndexState
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory

    loaded = load_memory(config, overrides)
    standing = memory_container(loaded).memory_status()()
    state, index = standing.state, standing.index
    if as_json:
        its = {"memory": str(loaded.folder), "store": loaded.settings.store}
        its |= {"index": str(index.state), "index_trouble": index.trouble}
        echo_json({**its, **asdict(state), **({"files": list(standing.files)} if files else {})})
        return
    if files:
        for path in standing.files:
            click.echo(printable(path))
        return
    what = f"{loaded.settings.store} {printable(index.said)}".strip()
    if index.state == IndexState.NONE:
        what = f"none; every vector is compared (below {loaded.settings.exact_below} texts, or store numpy)"
    languages = ", ".join(f"{name} {count}" for name, count in state.languages.items())
    rows = [
        ("memory", f"{loaded.folder} ({state.size / 1e6:.1f} MB)"),
        ("of", ", ".join(map(printable, state.roots)) or "nothing yet"),
        ("files", state.files),
        ("chunks", f"{state.chunks} ({languages})" if state.chunks else 0),
        ("texts", f"{state.texts}, each with a vector"),
        ("embedder", state.fingerprint or "-"),
        ("chunker", state.chunker or "-"),
        ("index", what),
    ]
    if state.rebuilding:
        rows.append(("rebuild", f"{state.rebuilding} of {state.texts} done: run `cesello memory rebuild`"))
    for name, value in rows:
        click.echo(f"{name:<9} {value}")


@memory.command()
@config_option
@set_option
@_json_option
@click.pass_obj
def verify(debug: bool, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Read all of the memory and check it against itself: spans, keys, words, vectors, index."""
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    loaded = load_memory(config, overrides)
    container = memory_container(loaded)
    with watched(container, debug, transformers=loaded.uses_transformers):
        found = container.verify_memory()()
    if as_json:
        echo_json({**asdict(found), "ok": not found.problems})
    else:
        index = f", {found.indexed} in the index" if found.indexed else ""
        click.echo(f"{found.files} files, {found.chunks} chunks, {found.texts} texts{index}")
        for problem in found.problems:
            click.echo(f"  {printable(problem)}")
    if found.problems:
        is_whole = found.of_index == len(found.problems)
        fix = "where files are damaged, delete the folder and remember again"
        if is_whole:
            fix = "it makes the index again, and until then every vector is compared"
        raise StoreError(
            "S014",
            "the memory is whole, but not its index" if is_whole else "the memory is not whole",
            where=str(loaded.folder),
            got=f"{len(found.problems)} problem{'' if len(found.problems) == 1 else 's'}",
            fix=f"run `cesello memory rebuild`; {fix}",
        )
    if not as_json:
        click.echo("all is well")


@memory.command()
@click.option("--embed", is_flag=True, help="Embed everything again, even with the same embedder.")
@config_option
@set_option
@_json_option
@click.pass_obj
def rebuild(debug: bool, embed: bool, config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Make the index anew, and the vectors where the embedder is another one now.

    Nothing is read but the memory. Questions are answered as before until all is there; a rebuild that was
    stopped goes on where it was, or is given up where the embedder is another one by now.
    """
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    loaded = load_memory(config, overrides)
    container = memory_container(loaded)
    with watched(container, debug, transformers=loaded.uses_transformers):
        count = container.rebuild_memory()(embed=embed)
    state = container.chunk_store().state()
    if as_json:
        echo_json({"embedded": count, "texts": state.texts})
    else:
        click.echo(f"{state.texts} texts, {count} of them embedded again")


@memory.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--vectors", is_flag=True, help="With the vector of every chunk.")
@click.option("--force", is_flag=True, help="Replace OUTPUT where it is there.")
@config_option
@set_option
@click.pass_obj
def export(
    debug: bool,
    output: Path,
    vectors: bool,
    force: bool,
    config: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Write every chunk to OUTPUT, a JSON object a line: path, span, lines, kind, name, text."""
    import json
    import os

    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory

    loaded = load_memory(config, overrides)
    store = memory_container(loaded).chunk_store()
    if output.exists() and not force:
        raise click.UsageError(f"{printable(str(output))} is there already; --force replaces it")
    partial = output.with_name(f".{output.name}.partial")
    partial.unlink(missing_ok=True)  # of a killed process, or a link that leads elsewhere
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    count = 0
    try:
        with (
            os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file,
            store.reading(),
        ):
            for key, chunk in store.all_chunks():
                line = {"key": key, **asdict(chunk)}
                if vectors:
                    line["vector"] = next((list(vector) for _, vector in store.vectors([key])), None)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"{count} chunks in {printable(str(output))}")

"""The commands of ``cesello sop`` that are about the files of procedures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...domain.errors import CeselloError, InvalidProcedure
from ...domain.procedure import Procedure, Status, Version
from .memory_options import config_option
from .output import echo_json, echo_table, printable

if TYPE_CHECKING:
    from ...application.list_procedures import Listed

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SHOWN = 8
"""Digits of a version."""
_BROKEN = "not well-formed"


def sop_container(config: Path | None) -> Any:
    """A container for the project that the settings are of."""
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory

    return memory_container(load_memory(config))


def version_row(version: Version) -> dict[str, str]:
    """A version in JSON."""
    return {**asdict(version), "status": str(version.status)}


@click.command("new")
@click.argument("name", required=False)
@click.option("source", "--from", metavar="STARTER", help="Start from one that comes with cesello.")
@click.option("everything", "--all", is_flag=True, help="Write all that come with cesello.")
@config_option
@json_option
def new_command(
    name: str | None, source: str | None, everything: bool, config: Path | None, as_json: bool
) -> None:
    """Write the procedure NAME to start from: a commented one, or one that comes with cesello.

    Without NAME, --from takes the starter's own. --all leaves those alone that are there.
    """
    from ...application.new_procedure import has_folder
    from ..procedure_wiring import procedures_shown
    from ..starters import skeleton, starter, starters

    if everything == bool(name or source):
        known = ", ".join(starters())
        raise click.UsageError(f"give a NAME, --from STARTER, or --all · starters: {known}")
    container = sop_container(config)
    shown, store = procedures_shown(container.config.root()), container.procedure_store()
    wanted = (
        [one for one in starters() if not has_folder(store, one)] if everything else [name or source or ""]
    )
    for one in sorted({*starters()} - {*wanted, *store.names()}) if everything else ():
        click.echo(f"left {shown}/{one} as it is, without a SKILL.md", err=True)
    made = []
    for one in wanted:
        files = starter(source or one) if source or everything else skeleton(one)
        made.append(container.new_procedure()(one, files, draft=not (source or everything)))
        if not as_json:
            click.echo(f"wrote {shown}/{one}")
    if as_json:
        echo_json([version_row(version) for version in made])
        return
    if not everything and not source:
        click.echo(f"next: edit it, then cesello sop lint {wanted[0]}")
    elif not made:
        click.echo("all of them are there already")


@click.command("lint")
@click.argument("targets", nargs=-1, metavar="[NAME|PATH]...")
@click.option("--strict", is_flag=True, help="Fail on advice too.")
@config_option
@json_option
def lint_command(targets: tuple[str, ...], strict: bool, config: Path | None, as_json: bool) -> None:
    """Check procedures by name, or folders by path; all of this project where nothing is named.

    Every mistake is told with its place and what mends it, and advice where something could be better.
    """
    found = sop_container(config).lint_procedures()(targets)
    mistakes = [mistake for one in found for mistake in one.found.mistakes]
    advice = [note for one in found for note in one.found.advice]
    if as_json:
        echo_json(
            [
                {
                    "procedure": one.where,
                    "ok": not one.found.mistakes,
                    "mistakes": [_problem(each) for each in one.found.mistakes],
                    "advice": [_problem(each) for each in one.found.advice],
                }
                for one in found
            ]
        )
    else:
        for note in advice:
            click.echo(printable(str(note).replace("error[", "advice[", 1)))
    if mistakes or (strict and advice):
        raise InvalidProcedure(mistakes or advice)
    if not as_json:
        said = f", {len(advice)} with advice" if advice else ""
        count = "no procedures" if not found else f"{len(found)} procedure{'s' if len(found) > 1 else ''}"
        click.echo(f"{count}: no mistakes{said}")


def _problem(problem: CeselloError) -> dict[str, str | None]:
    where = None if problem.where is None else str(problem.where)
    return {"code": problem.code, "what": problem.what, "where": where, "fix": problem.fix}


@click.command("list")
@config_option
@json_option
def list_command(config: Path | None, as_json: bool) -> None:
    """The procedures of this project: what stands in each folder, and which version is in use.

    What was edited is recorded first: a draft, where another version is in use. What is not well-formed is
    listed with the version in use, and its mistakes are told.
    """
    listed = sop_container(config).list_procedures()()
    names = sorted({*listed.standing, *listed.broken})
    if as_json:
        echo_json([_listed_row(listed, name) for name in names])
    elif not names:
        click.echo("No procedures yet: `cesello sop new --all` writes eight to start from.")
    else:
        headings = ["procedure", "folder", "status", "in use", "steps", "description"]
        echo_table(headings, [_listed_cells(listed, name) for name in names], right=(4,))
    listed.complain()


def _listed_row(listed: Listed, name: str) -> dict[str, str | None]:
    active = listed.active[name][1].sha if name in listed.active else None
    if name in listed.broken:
        return {"name": name, "sha": None, "status": _BROKEN, "description": None, "active": active}
    procedure, version = listed.standing[name]
    return {**version_row(version), "description": procedure.description, "active": active}


def _listed_cells(listed: Listed, name: str) -> Sequence[object]:
    """Of a folder that is not well-formed, what is in use."""
    active = listed.active.get(name)
    in_use = active[1].sha[:_SHOWN] if active else "-"
    said = listed.standing.get(name)
    folder, status = (said[1].sha[:_SHOWN], str(said[1].status)) if said else ("-", _BROKEN)
    shown = said or active
    if shown is None:
        return name, folder, status, in_use, "-", "-"
    text = shown[0].description
    return name, folder, status, in_use, len(shown[0].steps), text if len(text) < 60 else f"{text[:57]}..."


@click.command("show")
@click.argument("name")
@click.option("sha", "--version", metavar="SHA", help="Another version than that of the folder.")
@config_option
@json_option
def show_command(name: str, sha: str | None, config: Path | None, as_json: bool) -> None:
    """A procedure with its steps, and its versions, newest first."""
    from ..procedure_wiring import procedures_shown

    container = sop_container(config)
    store = container.procedure_store()
    if sha:
        procedure, version = store.read(name, sha), store.version(name, sha)
    else:
        procedure, version = store.standing(name)
    versions = store.versions(name)
    if as_json:
        echo_json(
            {
                "version": version_row(version),
                "procedure": asdict(procedure),
                "versions": [version_row(one) for one in versions],
            }
        )
        return
    echo_table(
        ["procedure", name], _about(procedure, version, f"{procedures_shown(container.config.root())}/{name}")
    )
    if procedure.steps:
        click.echo()
        for number, step in enumerate(procedure.steps, 1):
            when = f" (when {step.when})" if step.when else ""
            click.echo(printable(f"{number}. {step.id}{when}: {step.do}"))
    click.echo()
    rows = [(one.sha[:_SHOWN], one.status, one.author, one.created, one.reason or "-") for one in versions]
    echo_table(["version", "status", "author", "recorded", "reason"], rows)


def _about(procedure: Procedure, version: Version, folder: str) -> Iterator[tuple[str, object]]:
    yield "version", f"{version.sha[:_SHOWN]} ({version.status})"
    yield "description", procedure.description
    yield "tools", " ".join(procedure.allowed_tools) or "any"
    if procedure.inputs:
        yield (
            "inputs",
            ", ".join(one.name + (" (required)" if one.required else "") for one in procedure.inputs),
        )
    yield (
        "triggers",
        f"{len(procedure.triggers.examples)} examples, {len(procedure.triggers.negatives)} negatives",
    )
    yield "evals", len(procedure.evals)
    yield "folder", folder


@click.command("import")
@click.argument("path")
@click.option("--name", default="", help="Another name than its own.")
@config_option
@json_option
def import_command(path: str, name: str, config: Path | None, as_json: bool) -> None:
    """Take the folder PATH, or the folder of the SKILL.md at PATH, with all that is in it.

    What the specification does not allow is mended and told. It is a draft: read it, then promote it.
    """
    done = sop_container(config).import_procedure()(path, name)
    if as_json:
        echo_json({**version_row(done.version), "placed": done.placed, "notes": list(done.notes)})
        return
    for note in done.notes:
        click.echo(printable(note))
    called, sha = done.version.name, done.version.sha[:_SHOWN]
    if done.version.status is Status.ACTIVE:
        click.echo(f"{called} {sha} is in use already")
    else:
        click.echo(f"imported {called} {sha} as a draft")
        look = f"cesello sop show {called}" if done.placed else f"cesello sop diff {called} --new {sha}"
        click.echo(f"next: {look}, then cesello sop promote {called} {sha}")


@click.command("export")
@click.argument("name")
@click.option("--to", required=True, metavar="FOLDER", help="Where the procedure's folder is made.")
@click.option("sha", "--version", metavar="SHA", default="", help="Another version than that of the folder.")
@config_option
@json_option
def export_command(name: str, to: str, sha: str, config: Path | None, as_json: bool) -> None:
    """Write a procedure for other programs: FOLDER/NAME, which readers of Agent Skills take."""
    path = sop_container(config).export_procedure()(name, to, sha)
    if as_json:
        echo_json({"name": name, "path": path})
    else:
        click.echo(f"wrote {printable(path)}")

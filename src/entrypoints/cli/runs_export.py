"""``cesello runs export``: runs for other programs."""

from __future__ import annotations

import os

import click

from ...domain.errors import UsageError
from .output import printable
from .runs_query import opened_store


@click.command("export")
@click.argument("names", metavar="[RUN]...", nargs=-1)
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["otlp", "otlp-http", "parquet"]),
    required=True,
    help="OTLP JSON lines, OTLP over HTTP, or Parquet with a file a table.",
)
@click.option("--output", help="The file of otlp, or the folder of parquet.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--endpoint", help="Where otlp-http goes, such as http://localhost:4318.")
@click.option(
    "--header-env",
    metavar="NAME",
    help="The variable with the headers to send, as in OTEL_EXPORTER_OTLP_HEADERS: name=value,...",
)
@click.option("--plain-http", is_flag=True, help="Let it go over the network without encryption.")
@click.option("--content", is_flag=True, help="With prompts, completions, arguments and messages.")
def export_runs(
    names: tuple[str, ...],
    folder: str,
    form: str,
    output: str | None,
    overwrite: bool,
    endpoint: str | None,
    header_env: str | None,
    plain_http: bool,
    content: bool,
) -> None:
    """Give runs to other programs: spans as OTLP, or all tables as Parquet.

    RUN is an id, a name, a folder or `latest`; without one everything is exported. What prompts, completions
    and tools said stays here unless --content is given; secrets are taken out in any case.
    """
    from ...application.export_traces import ExportRequest, ExportTraces
    from ..redaction import redact
    from ..trace_wiring import otlp_file, otlp_http, parquet_tables

    wanted, unwanted = ("endpoint", output) if form == "otlp-http" else ("output", endpoint)
    place = endpoint if form == "otlp-http" else output
    if not place or unwanted or (header_env and form != "otlp-http"):
        raise UsageError(
            "C166", f"{form} cannot be written so", expected=f"--{wanted}, and no option of another format",
            fix="see `cesello runs export --help`",
        )  # fmt: skip
    headers = _headers(header_env)
    request = ExportRequest(names, content)
    export = ExportTraces(opened_store(folder, refresh=True), redact())
    if form == "parquet":
        rows = export.tables(request, parquet_tables(place, overwrite=overwrite))
        click.echo(f"{sum(rows.values()):,} rows of {len(rows)} tables in {place}")
        return
    to_file = form == "otlp"
    exporter = (
        otlp_file(place, overwrite=overwrite) if to_file else otlp_http(place, headers, plain=plain_http)
    )
    sent = export.spans(request, exporter)
    click.echo(f"{_counted(sent.spans)} {'in' if to_file else 'taken by'} {place}")
    if sent.rejected:
        said = f": {printable(sent.reason)}" if sent.reason else ""
        click.echo(f"not taken: {_counted(sent.rejected)}{said}", err=True)
    elif not sent.spans:
        click.echo(
            "no spans are known: only traced runs have some; parquet has what the others did", err=True
        )


def _counted(spans: int) -> str:
    return "1 span" if spans == 1 else f"{spans:,} spans"


def _headers(variable: str | None) -> str:
    if variable is None:
        return ""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UsageError(
            "C165", "the headers are not there", expected=f"the environment variable {variable}",
            fix=f"export {variable}=name=value",
        )  # fmt: skip
    return value

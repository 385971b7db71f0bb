"""``cesello ask``: find the code that answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import click

from .memory_options import config_option, set_option
from .output import echo_json, printable
from .sop_prompt import instructed, sop_options

if TYPE_CHECKING:
    from ...application.ask import Answer, AskRequest
    from ...domain.document import Chunk
    from ...domain.retrieval import Passage
    from ..container import Container
    from ..settings.memory_file import LoadedMemory


_KINDS = ("function", "class", "module", "section", "text")


@click.command()
@click.argument("question")
@click.option("-k", "--keep", type=int, help="Passages to give back.  [default: memory.keep, 3]")
@click.option("--recall", type=int, help="Texts that the reranker judges.  [default: memory.recall, 20]")
@click.option("--threshold", type=float, help="Leave out passages with a lower score.")
@click.option(
    "paths",
    "--path",
    multiple=True,
    metavar="PATTERN",
    help="Only these files or folders, seen from here.",
)
@click.option("languages", "--language", multiple=True, help="Only this language, as python.")
@click.option("kinds", "--kind", multiple=True, type=click.Choice(_KINDS), help="Only this kind of passage.")
@click.option("--rerank/--no-rerank", default=True, help="Let the reranker judge what was found.")
@click.option("--around", default=0, show_default=True, help="Chunks before and after, of the same file.")
@click.option(
    "beside", "--with", metavar="KINDS", help="Add, where there is room: class, imports, or class,imports."
)
@click.option("--tokens", type=click.IntRange(min=1), help="The most that all passages may have.")
@click.option("answers", "--answer", is_flag=True, help="Let a model answer from the passages.")
@click.option(
    "prompt_file",
    "--prompt-file",
    type=click.Path(path_type=Path),
    help="With --answer: put the prompt of FILE around the question.",
)
@sop_options
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def ask(
    debug: bool,
    question: str,
    keep: int | None,
    recall: int | None,
    threshold: float | None,
    paths: tuple[str, ...],
    languages: tuple[str, ...],
    kinds: tuple[str, ...],
    rerank: bool,
    around: int,
    beside: str | None,
    tokens: int | None,
    answers: bool,
    prompt_file: Path | None,
    sop: str,
    sop_mode: str,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find the code that answers QUESTION, in what `cesello remember` has read.

    Prints the passages as a model reads them: a number to cite, a score, the place, and the text, between
    two lines that no document can forge.
    """
    from ...domain.remembered import Selection
    from ..memory_requests import ask_request, memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    if prompt_file is not None and not answers:
        raise click.UsageError("--prompt-file goes with --answer: without one no model is asked")
    if sop != "off" and not answers:
        raise click.UsageError("--sop goes with --answer: without one no model is asked")
    loaded = load_memory(config, overrides)
    container = memory_container(loaded)
    # As `cesello forget` takes them: from the working folder, and not from the memory's.
    files = tuple(container.source_tree().relative(str(Path(path).absolute())) for path in paths)
    request = ask_request(
        loaded, question, Selection(files, _sound(languages), kinds),
        recall=recall, keep=keep, threshold=threshold, rerank=rerank, around=around,
        beside=None if beside is None else tuple(filter(None, map(str.strip, beside.split(",")))),
    )  # fmt: skip
    budget = tokens or loaded.settings.context_tokens
    with watched(container, debug, transformers=answers or loaded.uses_transformers):
        if answers:
            _answer(container, loaded, request, budget, prompt_file, (sop, sop_mode), as_json)
        else:
            _show(container, container.ask()(request), budget, as_json)


def _sound(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Without what is no text."""
    return tuple(text.encode("utf-8", "replace").decode() for text in texts)


def _show(container: Container, found: Answer, budget: int, as_json: bool) -> None:
    from ...domain.context import write_context

    context = write_context(found.passages, token_hex(8), budget)
    if as_json:
        echo_json({**_found(found, context.used), "context": context.text})
    else:
        click.echo(printable(context.text) or _nothing(container, found, budget))


def _answer(
    container: Container,
    loaded: LoadedMemory,
    request: AskRequest,
    budget: int,
    prompt_file: Path | None,
    sop: tuple[str, str],
    as_json: bool,
) -> None:
    from ...domain.generation import Sampling
    from ...domain.prompt_program import PromptProgram
    from ..settings.prompt_file import load_prompt

    sampling = Sampling(loaded.settings.answer.max_new_tokens)
    own = load_prompt(prompt_file).program if prompt_file else PromptProgram()
    with instructed(lambda: container, own, *sop, request.question, "ask") as program:
        answered = container.answer_question()(request, budget, sampling, program)
    if as_json:
        its = {"answer": answered.text, "cited": answered.cited, "context": answered.context.text}
        echo_json({**_found(answered.found, answered.context.used), **its})
        return
    if not answered.context.used:
        click.echo(_nothing(container, answered.found, budget))
        return
    click.echo(printable(answered.text).strip() + "\n")
    for number, passage in enumerate(answered.context.used, start=1):
        click.echo(f"[{number}] ({passage.score:.2f}) {printable(passage.chunk.location)}")


def _nothing(container: Container, found: Answer, budget: int) -> str:
    if not found.asked:
        return "nothing is remembered yet: run `cesello remember .` first"
    if found.unfit:
        there = ", ".join(container.chunk_store().state().languages)
        return (
            f"nothing that is remembered fits --path, --language and --kind: the languages are {there}, and "
            "`cesello memory status --files` lists the files"
        )
    if found.passages:
        return f"what was found does not fit into {budget} tokens"
    if found.foreign:
        return "nothing relevant was found (--set memory.relevant=-1 shows what is nearest)"
    return "nothing relevant was found"


def _found(found: Answer, used: Sequence[Passage]) -> dict[str, Any]:
    """Passages with the numbers that they have in the context; null, where there was no room for one."""
    numbers = {id(passage): number for number, passage in enumerate(used, start=1)}
    passages = [
        {
            "number": numbers.get(id(passage)),
            "score": passage.score,
            "path": passage.chunk.path,
            "start_line": passage.chunk.start_line,
            "end_line": passage.chunk.end_line,
            "start": passage.chunk.start,
            "end": passage.chunk.end,
            "language": passage.chunk.language,
            "kind": passage.chunk.kind,
            "name": passage.chunk.name,
            "text": passage.chunk.text,
            "copies": [copy.location for copy in copies],
            "beside": [_lines(chunk) for chunk in passage.beside],
        }
        for passage, copies in zip(found.passages, found.copies, strict=True)
    ]
    return {"passages": passages, "asked": found.asked, "exact": found.exact, "unfit": found.unfit}


def _lines(chunk: Chunk) -> dict[str, Any]:
    names = ("kind", "start_line", "end_line", "start", "end", "text")
    return {name: getattr(chunk, name) for name in names}

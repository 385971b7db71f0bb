"""Cutting a file into chunks along its syntax: split what is too big, join what is too small.

A parser gives *blocks*: spans to keep whole where they fit, each of which can be opened into smaller ones.
The chunks that come out are the file, every byte once and in order, none above the maximum:

1. ``_pieces``: a block that fits is a piece; one that does not is opened, or cut by lines if it cannot be.
   Text between blocks goes to a neighbour: line ends to the piece before, indentation to the piece after.
2. ``_with_comments``: comments and decorators join what stands right below them.
3. ``_filled``: the statements of one block are put together up to the maximum.
4. ``_together``: small neighbours are joined while they stay small, parts of one definition while they fit.

A definition that fits is one piece after the first step, and no later step cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .document import Chunk, SourceFile

_SMALL = 1 / 3
"""Neighbours are joined up to this share of the maximum: what shares a chunk with much else is found less."""

_DEEPEST = 500
"""What is nested deeper is cut by lines. No program is, but a sum of a million terms has a million levels."""


class Definition(NamedTuple):
    """A function or a class.

    Attributes:
        kind: ``function`` or ``class``.
        name: qualified, as in ``A.b``.
        signature: what stands before its body, on one line.
        description: the first paragraph of its docstring.
    """

    kind: str
    name: str
    signature: str = ""
    description: str = ""


class Block(NamedTuple):
    """A span of text to keep whole where it fits.

    Attributes:
        start: first character.
        end: one past the last character.
        definition: what it defines, if it does.
        leads: whether it is a comment or a decorator, which belongs to what stands below it.
        opened: the blocks inside it, in order; None where there is no syntax inside, as in a string.
    """

    start: int
    end: int
    definition: Definition | None = None
    leads: bool = False
    opened: Callable[[], Sequence[Block]] | None = None


@dataclass(slots=True)
class _Piece:
    """A chunk in the making.

    Attributes:
        labels: the definitions it belongs to: itself, or the innermost one that had to be opened.
        whole: whether it holds a whole definition.
        header: the signature that the text lacks, because this is a later part of a definition.
        group: neighbours inside one opened block have the same number.
        depth: how many blocks were opened to reach it.
    """

    start: int
    end: int
    labels: tuple[Definition, ...] = ()
    whole: bool = False
    leads: bool = False
    header: str = ""
    group: int = -1
    depth: int = 0


def cut(
    source: SourceFile,
    text: str,
    codec: str,
    *,
    blocks: Sequence[Block],
    maximum: int,
    language: str,
    readable: Callable[[int, int], str] | None = None,
) -> tuple[Chunk, ...]:
    """Chunks that together are the file, each of at most ``maximum`` characters.

    Args:
        source: the file.
        text: its text, and
        codec: the codec that gives its bytes back, both from ``SourceFile.decoded``.
        blocks: the top of the syntax tree, in order; none for a file that is cut by lines.
        maximum: at least 2, so that a line end of two characters can stay whole.
        language: for the chunks to carry.
        readable: what a person reads between two characters of the text, where this is not the text.
    """
    pieces = _with_comments(text, _pieces(text, blocks, maximum), maximum)
    pieces = _together(text, _filled(pieces, maximum), maximum)
    kind = "module" if blocks else "text"
    return tuple(_chunks(source, text, codec, pieces, language, kind, readable))


def _terminal(blocks: Sequence[Block], maximum: int) -> Iterator[_Piece]:
    """A piece for every block that fits or cannot be opened; the walk keeps its own stack."""
    levels: list[tuple[Iterator[Block], Definition | None]] = [(iter(blocks), None)]
    group = 0
    at_head = False
    while levels:
        siblings, owner = levels[-1]
        for block in siblings:
            own = block.definition
            fits = block.end - block.start <= maximum
            inside = block.opened() if block.opened and not fits and len(levels) < _DEEPEST else ()
            if inside:
                levels.append((iter(inside), own or owner))
                at_head = at_head or own is not None
                break
            label = own or owner
            header = owner.signature if owner and not own and not at_head else ""
            labels = (label,) if label else ()
            whole = fits and own is not None
            yield _Piece(block.start, block.end, labels, whole, block.leads, header, group, len(levels))
            at_head = False
        else:
            levels.pop()
        group += 1


def _pieces(text: str, blocks: Sequence[Block], maximum: int) -> list[_Piece]:
    pieces: list[_Piece] = []
    at = 0
    for piece in _terminal(blocks, maximum):
        if piece.end <= at or piece.end == piece.start:  # a token that the parser imagined
            continue
        margin = text.rfind("\n", at - 1 if at else 0, piece.start) + 1  # where its line starts, or 0
        if margin > at:
            if pieces and margin - pieces[-1].start <= maximum:
                pieces[-1].end = margin
            else:
                _absorb(pieces, text, at, margin, maximum)
            at = margin
        if piece.end - piece.start <= maximum < piece.end - at:  # it fits, but not with its indentation
            _absorb(pieces, text, at, piece.start, maximum)
            at = piece.start
        piece.start = at
        at = piece.end
        last = pieces[-1] if pieces else None
        if last and not margin and _fit(last, piece, maximum):
            _join_on_line(last, piece)
        elif at - piece.start <= maximum:
            pieces.append(piece)
        elif last and _goes_on(text, last, piece, same_line=not margin):
            pieces[-1:] = _parts(text, replace(last, end=at), maximum)
        else:
            pieces += _parts(text, piece, maximum)
    _absorb(pieces, text, at, len(text), maximum)
    return pieces


def _goes_on(text: str, last: _Piece, big: _Piece, *, same_line: bool) -> bool:
    """Whether lines of a block that is too big may stand with the piece before: ``x = (`` or a signature."""
    if last.whole or (same_line and "\n" in text[last.start : last.end]):
        return False
    return same_line or bool(big.labels and big.labels == last.labels)


def _absorb(pieces: list[_Piece], text: str, start: int, end: int, maximum: int) -> None:
    """Gives the lines between two blocks to the piece before them, as many as fit; the rest stand alone."""
    if pieces:
        room = pieces[-1].start + maximum
        taken = end if end <= room else text.rfind("\n", start, room) + 1
        pieces[-1].end = start = max(start, taken)
    if start < end:
        pieces.extend(_parts(text, _Piece(start, end), maximum))


def _parts(text: str, piece: _Piece, maximum: int) -> Iterator[_Piece]:
    """The piece cut after line ends, and inside a line only when the line alone is above the maximum."""
    start = piece.start
    header = piece.header
    while start < piece.end:
        stop = min(start + maximum, piece.end)
        if stop < piece.end:
            stop = text.rfind("\n", start, stop) + 1 or stop - (text[stop - 1 : stop + 1] == "\r\n")
        yield replace(piece, start=start, end=stop, header=header)
        start = stop
        header = piece.labels[0].signature if piece.labels else ""


def _with_comments(text: str, pieces: Iterable[_Piece], maximum: int) -> list[_Piece]:
    kept: list[_Piece] = []
    for piece in reversed(list(pieces)):
        below = kept[-1] if kept else None
        if piece.leads and below and below.depth >= piece.depth and _fit(piece, below, maximum):
            body = text[piece.start : piece.end]
            if body.count("\n", len(body.rstrip())) <= 1:  # no blank line between them
                below.start = piece.start
                continue
        kept.append(piece)
    return kept[::-1]


def _filled(pieces: Iterable[_Piece], maximum: int) -> list[_Piece]:
    kept: list[_Piece] = []
    for piece in pieces:
        last = kept[-1] if kept else None
        same_run = last and last.group == piece.group and not last.whole and not piece.whole
        if last and same_run and _fit(last, piece, maximum):
            _join(last, piece)
        else:
            kept.append(piece)
    return kept


def _together(text: str, pieces: Iterable[_Piece], maximum: int) -> list[_Piece]:
    kept: list[_Piece] = []
    for piece in pieces:
        last = kept[-1] if kept else None
        if last is None or not _fit(last, piece, maximum):
            kept.append(piece)
        elif text[last.start : last.end].isspace():
            piece.start = last.start
            kept[-1] = piece
        elif _parts_of_one(last, piece) or _fit(last, piece, int(maximum * _SMALL)):
            _join(last, piece)
        elif text[piece.start : piece.end].isspace():
            last.end = piece.end
        else:
            kept.append(piece)
    return kept


def _parts_of_one(first: _Piece, second: _Piece) -> bool:
    return bool(first.labels) and first.labels == second.labels and not (first.whole or second.whole)


def _fit(first: _Piece, second: _Piece, maximum: int) -> bool:
    return second.end - first.start <= maximum


def _join(first: _Piece, second: _Piece) -> None:
    first.end = second.end
    if second.labels != first.labels:
        first.labels += tuple(label for label in second.labels if label not in first.labels)
    first.whole = first.whole or second.whole
    first.leads = False
    first.group = second.group


def _chunks(
    source: SourceFile,
    text: str,
    codec: str,
    pieces: Iterable[_Piece],
    language: str,
    kind: str,
    readable: Callable[[int, int], str] | None,
) -> Iterator[Chunk]:
    returns = "\r" in text
    single_bytes = codec == "latin-1" or (codec == "utf-8" and text.isascii())
    start, line = 0, 1
    for piece in pieces:
        body = text[piece.start : piece.end]
        end = start + len(body if single_bytes else body.encode(codec))
        last_line = line + (
            line_ends(text, piece.start, piece.end - 1) if returns else body.count("\n", 0, -1)
        )
        labels = piece.labels
        alone = labels[0] if len(labels) == 1 else None
        yield Chunk(
            source.path,
            start,
            end,
            line,
            last_line,
            body,
            language,
            alone.kind if alone else _kind(labels) or kind,
            alone.name if alone else ", ".join([label.name for label in labels]),
            piece.header,
            alone.description if alone else "",
            readable(piece.start, piece.end) if readable else None,
        )
        start = end
        line = last_line + (line_ends(text, piece.end - 1, piece.end) if returns else body[-1] == "\n")


def _join_on_line(first: _Piece, second: _Piece) -> None:
    """What follows on a line belongs to what the line ends with, unless it is a definition itself."""
    labels = first.labels
    _join(first, second)
    if labels and not second.whole:
        first.labels = labels


def _kind(labels: Sequence[Definition]) -> str:
    kinds = {label.kind for label in labels}
    return "module" if len(kinds) > 1 else "".join(kinds)


def line_ends(text: str, start: int, end: int) -> int:
    r"""How many lines end between two characters, at ``\n``, ``\r\n`` (counted at its ``\n``) or ``\r``."""
    returns = text.count("\r", start, end) - text.count("\r\n", start, end + 1)
    return text.count("\n", start, end) + returns

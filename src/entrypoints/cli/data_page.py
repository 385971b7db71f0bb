"""Rows as a page of its own: nothing is fetched, nothing is run, and it reads on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from ...application.preview_data import Piece, PreviewRow, SourcePreview
from .row_text import visible

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{what}</p>
<p class="legend">{legend}</p>
</header>
<main>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root {
  --paper: #fbfaf7; --card: #fff; --ink: #1d1b16; --soft: #6b675d; --line: #e2ded3;
  --even: #e9e4d8; --odd: #f6f3ec; --learn-even: #bfe5c4; --learn-odd: #d3eed6; --learn: #1c7a35;
  --name: #8a4b08;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16171a; --card: #1d1f23; --ink: #e8e6e1; --soft: #9a978f; --line: #33363c;
    --even: #33373e; --odd: #24272b; --learn-even: #1d5a30; --learn-odd: #174826; --learn: #6fdc8c;
    --name: #f3b562;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; -webkit-text-size-adjust: 100%;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .2rem; }
p { margin: .2rem 0; }
p, dd, .place { color: var(--soft); overflow-wrap: anywhere; }
.legend { margin-top: .8rem; line-height: 2; }
.legend span, .legend mark { font: .85rem/1.6 ui-monospace, monospace; padding: .1em .3em; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; margin: .6rem 0 1rem; }
dt { font-size: .8rem; color: var(--soft); }
dd { margin: 0; color: var(--ink); font-variant-numeric: tabular-nums; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; margin: .8rem 0; }
h3 {
  display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; margin: 0;
  padding: .5rem .8rem; border-bottom: 1px solid var(--line); font-size: .85rem; font-weight: 400;
}
h3 strong { font-weight: 600; color: var(--learn); }
h3 em { font-style: normal; color: var(--name); }
pre {
  margin: 0; padding: .8rem; font: .85rem/1.75 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4;
}
span, mark { border-radius: .2em; }
pre span { background: var(--odd); }
pre span:nth-of-type(even) { background: var(--even); }
mark { background: none; color: inherit; }
mark span { background: var(--learn-odd); border-bottom: 1px solid var(--learn); padding-bottom: .15em; }
mark span:nth-of-type(even) { background: var(--learn-even); }
.name { color: var(--name); box-shadow: inset 0 0 0 1px var(--name); padding: 0 .2em; }
pre span, mark span { box-decoration-break: clone; -webkit-box-decoration-break: clone; }
details { border-top: 1px solid var(--line); padding: .4rem .8rem; font-size: .8rem; color: var(--soft); }
details p { font-family: ui-monospace, monospace; padding: .4rem 0; }
summary { cursor: pointer; }
pre span:hover { outline: 2px solid var(--soft); }
i { font-style: normal; opacity: .45; user-select: none; }
"""


def data_page(recipe: str, model: str, sources: Sequence[SourcePreview], *, held_out: bool) -> str:
    """The whole page.

    Args:
        recipe: its name, for the title.
        held_out: whether the rows are those evaluated on.
    """
    kind = "evaluated on" if held_out else "trained on, in the order in which they are drawn first"
    legend = (
        f"<mark>{_span('trained')}</mark> counts in the loss, {_span('context')} is read only, "
        f"{_span('&lt;name&gt;', 'name')} is one special token. "
        "Each shade is a token; its id is under the pointer."
    )
    return _PAGE.format(
        title=f"Rows of {_text(recipe)}",
        what=f"As {_text(model)} sees them: rows {kind}.",
        legend=legend,
        style=_STYLE,
        body="\n".join(_section(source, held_out) for source in sources),
    )


def _section(source: SourcePreview, held_out: bool) -> str:
    facts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(source))
    rows = "\n".join(map(_article, source.rows))
    none = f"<p>No row of it is {'held out' if held_out else 'trained on'}.</p>"
    return (
        f"<section>\n<h2>{_text(source.name)}</h2>\n<p>{_text(source.origin)}</p>\n<dl>{facts}</dl>\n"
        f"{rows or none}\n</section>"
    )


def _facts(source: SourcePreview) -> Iterator[tuple[str, str]]:
    if source.share is not None:
        yield "share of rows", f"{source.share:.1%}"
    yield "read", f"{source.read:,}"
    yield "trained on", f"{source.kept:,}"
    yield "tokens of these", f"{source.tokens:,}"
    yield "held out", f"{source.held_out:,}"
    if source.split:
        yield "split", f"{source.split:,}"
    for reason, count in source.dropped.items():
        yield f"left out: {_text(reason)}", f"{count:,}"


def _article(row: PreviewRow) -> str:
    counts = f"{row.tokens:,} tokens, <strong>{row.trained_tokens:,} trained</strong>"
    cut = ", <em>cut off</em>" if row.truncated else ""
    given = "".join(f"<br>{_text(line)}" for line in row.given)
    heading = f'<span class="place">{_text(row.place)}{given}</span><span>{counts}{cut}</span>'
    ids = " ".join(_ids(piece) for piece in row.pieces)
    return (
        f"<article>\n<h3>{heading}</h3>\n<pre>{''.join(_runs(row.pieces))}</pre>\n"
        f"<details><summary>token ids</summary><p>{ids}</p></details>\n</article>"
    )


def _runs(pieces: Sequence[Piece]) -> Iterator[str]:
    for trained, run in groupby(pieces, lambda piece: piece.trained):
        text = "".join(map(_token, run))
        yield f"<mark>{text}</mark>" if trained else text


def _token(piece: Piece) -> str:
    text = _text(piece.text).replace("\n", "<i>⏎</i>\n").replace("\t", "<i>⇥</i>\t") or "<i>∅</i>"
    return _span(text, "name" if piece.special else "", _ids(piece))


def _ids(piece: Piece) -> str:
    return " ".join(map(str, piece.ids))


def _span(inside: str, kind: str = "", title: str = "") -> str:
    attributes = (f' class="{kind}"' if kind else "") + (f' title="{title}"' if title else "")
    return f"<span{attributes}>{inside}</span>"


def _text(text: str) -> str:
    return escape(visible(text))

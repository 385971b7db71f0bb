"""Questions that some lines of the code answer: where something is raised or done, how a function begins.

Who answers quotes these lines, as in reading comprehension (Rajaraman et al., arXiv:1606.05250), where the
answer to a question is a span of the passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .code_names import Names, is_aside, summary_of
from .code_questions import CodeQuestion, why_not_asked_by
from .python_facts import FunctionFacts, PythonFacts, Span

_FEWEST_WORDS, _LONGEST = 3, 200
"""Words and characters of a comment that says what is done."""

_BARE = re.compile(r"raise [\w.]+(?:\(\))?")
"""Of a ``raise`` that stands alone and gives no message, the question has said all."""


def span_questions_of(facts: PythonFacts, names: Names) -> Iterator[CodeQuestion | str]:
    """Every question about a file's functions; where one cannot be asked, the reason."""
    for one in facts.functions:
        if is_aside(one.name) and one.name != "__init__":
            yield "private, special or a test"
        elif not names.is_clear(one):
            yield "the name is not the only one"
        else:
            for span in one.spans:
                asked = _asked(one, span, names)
                symbol = one.owner or one.name
                if isinstance(asked, str):
                    yield asked
                else:
                    yield CodeQuestion(
                        span.kind, symbol, asked, (span.text,), span.first, span.last, is_span=True
                    )


def _asked(one: FunctionFacts, span: Span, names: Names) -> dict[str, str] | str:
    """What fills the wordings, or why nothing is asked."""
    if span.kind == "headed":
        said = summary_of(one.docstring)
        flaw = why_not_asked_by(said, names)
        return flaw or {"what": "method" if one.owner else "function", "said": said}
    if span.kind == "commented" and (len(span.said.split()) < _FEWEST_WORDS or len(span.said) > _LONGEST):
        return "the comment is too short or too long to ask by"
    if span.kind == "raised" and _BARE.fullmatch(span.text):
        return "the answer says nothing"
    return {"name": one.called, "said": span.said}

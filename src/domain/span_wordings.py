"""The words of questions whose answer is some lines of the code; see ``question_wordings``."""

from __future__ import annotations

from collections.abc import Mapping

from .question_wordings import Wordings

LINES = "lines"

SPAN_FORMS: Mapping[str, Mapping[str, str]] = {"en": {LINES: "Quote these lines alone, as they are written."}}

SPAN_WORDINGS: Mapping[str, Mapping[str, Wordings]] = {
    "en": {
        "headed": Wordings(
            (
                'How does the {what} begin that is documented with the words "{said}"?',
                'Which decorators and which signature has the {what} for this: "{said}"',
                'I need the signature of the {what} with this description: "{said}"',
            ),
            (
                'Show me how the {what} is declared that is described so: "{said}"',
                'With which lines does the definition start whose docstring says "{said}"?',
            ),
            LINES,
        ),
        "raised": Wordings(
            (
                "Where in `{name}` is `{said}` raised?",
                "Which lines of `{name}` raise `{said}`?",
                "In the code of `{name}`, what leads to `{said}`?",
            ),
            (
                "A call of `{name}` ended with `{said}`. Which of its lines did that?",
                "Show me the check of `{name}` that ends in `{said}`.",
            ),
            LINES,
        ),
        "commented": Wordings(
            (
                'Which lines of `{name}` have the comment "{said}"?',
                'In `{name}`, where is this done: "{said}"',
                'What is the code of `{name}` below the comment "{said}"?',
            ),
            (
                'Show me how `{name}` does this: "{said}"',
                'There is a part of `{name}` for this: "{said}" What is it?',
            ),
            LINES,
        ),
        "returned": Wordings(
            (
                "How does `{name}` make what it returns?",
                "Which expression does `{name}` return?",
                "What stands in the `return` of `{name}`?",
            ),
            (
                "Show me the statement with which `{name}` gives its result.",
                "With which line does `{name}` hand its result back?",
            ),
            LINES,
        ),
    },
}
"""By language and by kind of span."""

"""The words in which questions about code are asked: several for each, and some that are kept for exams.

A wording that is ``kept`` is never asked in a row that is trained on: who can answer it has learnt the fact,
and not the sentence that asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wordings:
    """How something is asked.

    Attributes:
        asked: with ``{placeholders}``, filled from the facts.
        kept: other ones, for rows that are held out.
        form: what the answer is to look like, a key of ``FORMS``.
    """

    asked: tuple[str, ...]
    kept: tuple[str, ...]
    form: str


FORMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "path": "Answer with its path alone.",
        "name": "Answer with the name alone.",
        "value": "Answer with the value alone.",
        "type": "Answer with the type alone.",
        "names": "Answer with the names alone, in order, separated by commas.",
    },
    "it": {
        "path": "Rispondi solo con il percorso.",
        "name": "Rispondi solo con il nome.",
        "value": "Rispondi solo con il valore.",
        "type": "Rispondi solo con il tipo.",
        "names": "Rispondi solo con i nomi, in ordine, separati da virgole.",
    },
}

WORDINGS: Mapping[str, Mapping[str, Wordings]] = {
    "en": {
        "file": Wordings(
            (
                "In which file is the {what} `{name}` defined?",
                "Which file defines the {what} `{name}`?",
                "Where is the {what} `{name}` to be found?",
                "I am looking for the {what} `{name}`. Which file is it in?",
                "The {what} `{name}` is defined in which file?",
            ),
            (
                "Name the file that holds the definition of `{name}`.",
                "If I wanted to change the {what} `{name}`, which file would I open?",
            ),
            "path",
        ),
        "owner": Wordings(
            (
                "Which class has the method `{name}`?",
                "The method `{name}` belongs to which class?",
                "What is the class that defines the method `{name}`?",
                "Of which class is `{name}` a method?",
            ),
            (
                "On an object of which class can `{name}` be called?",
                "Name the class whose method is called `{name}`.",
            ),
            "name",
        ),
        "default": Wordings(
            (
                "What is the default of the parameter `{parameter}` of `{name}`?",
                "Which default value does `{parameter}` have in `{name}`?",
                "In `{name}`, what does `{parameter}` default to?",
                "What value does `{name}` use for `{parameter}` when none is given?",
            ),
            (
                "If I call `{name}` and leave out `{parameter}`, which value does it take?",
                "Tell me the default value that `{name}` gives its parameter `{parameter}`.",
            ),
            "value",
        ),
        "returns": Wordings(
            (
                "What type does `{name}` return, by its annotation?",
                "Which type is `{name}` annotated to return?",
                "What is the return type of `{name}`?",
                "By its signature, what does `{name}` return?",
            ),
            (
                "A call of `{name}` gives a value of which type?",
                "Tell me the return annotation of `{name}`.",
            ),
            "type",
        ),
        "awaited": Wordings(
            (
                "What type does `{name}` return when it is awaited, by its annotation?",
                "Which type is the coroutine `{name}` annotated to return?",
                "In the signature of the async function `{name}`, what is the return type?",
            ),
            (
                "`await` of a call of `{name}` gives a value of which type?",
                "Tell me the return annotation of the async `{name}`.",
            ),
            "type",
        ),
        "annotation": Wordings(
            (
                "What type is the parameter `{parameter}` of `{name}`?",
                "Which type annotation does `{parameter}` have in `{name}`?",
                "In the signature of `{name}`, what is the type of `{parameter}`?",
                "Of which type should the argument `{parameter}` of `{name}` be?",
            ),
            (
                "I want to call `{name}`. A value of which type does it expect for `{parameter}`?",
                "Tell me how `{name}` annotates its parameter `{parameter}`.",
            ),
            "type",
        ),
        "arguments": Wordings(
            (
                "What arguments does `{name}` take?",
                "Which parameters does `{name}` have?",
                "What are the parameters of `{name}`?",
                "List the parameters of `{name}`.",
            ),
            (
                "With which arguments can `{name}` be called?",
                "Write out the parameter names in the signature of `{name}`.",
            ),
            "names",
        ),
        "raises": Wordings(
            (
                "Which exception does `{name}` raise?",
                "What exception can `{name}` raise itself?",
                "The code of `{name}` raises which exception?",
                "Which exception class stands in the `raise` of `{name}`?",
            ),
            (
                "An `except` clause around a call of `{name}` should name which exception?",
                "Name the exception that `{name}` raises when something is wrong.",
            ),
            "name",
        ),
        "raises_when": Wordings(
            (
                "Which exception does `{name}` raise when `{condition}`?",
                "If `{condition}` holds in `{name}`, which exception is raised?",
                "What does `{name}` raise where `{condition}`?",
                "In `{name}`, the check `{condition}` leads to which exception?",
            ),
            (
                "In `{name}` it turns out that `{condition}`. Which exception follows?",
                "Name the exception with which `{name}` answers `{condition}`.",
            ),
            "name",
        ),
        "base": Wordings(
            (
                "Which class does `{name}` derive from?",
                "What is the base class of `{name}`?",
                "The class `{name}` is a subclass of which class?",
                "From which class does `{name}` inherit?",
            ),
            (
                "Name the parent class of `{name}`.",
                "In the definition of the class `{name}`, what stands in the parentheses behind its name?",
            ),
            "name",
        ),
        "field": Wordings(
            (
                "What type is the field `{parameter}` of the class `{name}`?",
                "Which type does `{name}` declare for `{parameter}`?",
                "In the class `{name}`, what is the annotation of `{parameter}`?",
                "The attribute `{parameter}` of `{name}` is declared with which type?",
            ),
            (
                "An object of the class `{name}` holds a value of which type in `{parameter}`?",
                "Tell me the declared type of `{name}.{parameter}`.",
            ),
            "type",
        ),
        "constant": Wordings(
            (
                "What is the value of the constant `{name}`?",
                "Which value is `{name}` set to?",
                "What does the constant `{name}` hold?",
                "To what is `{name}` set in `{file}`?",
            ),
            (
                "Tell me what `{name}` is set to at the top of its module.",
                "Which value does code that reads the constant `{name}` see?",
            ),
            "value",
        ),
        "purpose": Wordings(
            (
                'Which {what} is documented with the words "{said}"?',
                'What is the {what} called whose documentation begins with "{said}"?',
                'Which {what} is described as follows? "{said}"',
                'I need a {what} with this description: "{said}" What is its name?',
            ),
            (
                'Name the {what} of this code that is there for this: "{said}"',
                'Is there a {what} for this, and what is its name? "{said}"',
            ),
            "name",
        ),
    },
    "it": {
        "file": Wordings(
            ("In quale file è definita `{name}`?", "Dove si trova la definizione di `{name}`?"),
            ("Quale file devo aprire per modificare `{name}`?",),
            "path",
        ),
        "owner": Wordings(
            ("Quale classe ha il metodo `{name}`?", "A quale classe appartiene il metodo `{name}`?"),
            ("Su un oggetto di quale classe si può chiamare `{name}`?",),
            "name",
        ),
        "default": Wordings(
            (
                "Qual è il valore predefinito del parametro `{parameter}` di `{name}`?",
                "Che valore ha `{parameter}` in `{name}` se non viene passato?",
            ),
            ("Se chiamo `{name}` senza `{parameter}`, quale valore viene usato?",),
            "value",
        ),
        "returns": Wordings(
            ("Che tipo restituisce `{name}`?", "Qual è il tipo di ritorno di `{name}`?"),
            ("Una chiamata di `{name}` dà un valore di quale tipo?",),
            "type",
        ),
        "awaited": Wordings(
            ("Che tipo restituisce `{name}` quando si usa `await`?",),
            ("Il risultato di `await` su una chiamata di `{name}` è di quale tipo?",),
            "type",
        ),
        "annotation": Wordings(
            ("Di che tipo è il parametro `{parameter}` di `{name}`?",),
            ("Quale tipo si aspetta `{name}` per `{parameter}`?",),
            "type",
        ),
        "arguments": Wordings(
            ("Quali argomenti prende `{name}`?", "Quali sono i parametri di `{name}`?"),
            ("Con quali argomenti si può chiamare `{name}`?",),
            "names",
        ),
        "raises": Wordings(
            ("Quale eccezione solleva `{name}`?", "Che eccezione può sollevare `{name}`?"),
            ("Quale eccezione devo gestire quando chiamo `{name}`?",),
            "name",
        ),
        "raises_when": Wordings(
            ("Quale eccezione solleva `{name}` quando `{condition}`?",),
            ("In `{name}` vale `{condition}`: quale eccezione ne segue?",),
            "name",
        ),
        "base": Wordings(
            ("Da quale classe deriva `{name}`?", "Qual è la classe base di `{name}`?"),
            ("La classe `{name}` è sottoclasse di quale classe?",),
            "name",
        ),
        "field": Wordings(
            ("Di che tipo è il campo `{parameter}` della classe `{name}`?",),
            ("Che tipo di valore contiene `{parameter}` in un oggetto `{name}`?",),
            "type",
        ),
        "constant": Wordings(
            ("Qual è il valore della costante `{name}`?", "Quanto vale `{name}`?"),
            ("Che valore legge chi usa la costante `{name}`?",),
            "value",
        ),
    },
}
"""By language and by what is asked."""

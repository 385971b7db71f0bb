"""What a question in prose asks for: something that is done, or something that is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .document import Chunk

_VERBS = """
    accept access acquire activate add adjust align allocate allow analyze append apply assert assign
    attach attempt authenticate build cache calculate call cancel cast change check choose clean clear
    clip clone close collect combine compare compile complete compress compute concatenate configure
    connect construct consume convert copy count create crop debug decide declare decode decompress
    decorate decrypt define delete deserialize detach detect determine disable discard disconnect
    dispatch display divide do download draw drop dump emit enable encode encrypt enforce ensure enter
    escape estimate evaluate execute exit expand export extend extract fetch fill filter find finish
    fit fix flatten flush force format forward generate get guess handle hash help highlight identify
    implement import increment infer initialize insert inspect install instantiate interpolate invert
    invoke iterate join launch list load locate lock log look make map mark mask match measure merge
    modify move multiply normalize notify obtain open pack pad parse patch perform pick plot pop
    populate predict prepare prepend print process produce prompt publish pull push put query quote
    raise read rebuild receive record reduce refresh register reject release reload remove rename
    render reorder repeat replace report request reset reshape resize resolve restore retrieve retry
    return reverse revert rewrite rotate round run sample save scale scan schedule score search select
    send serialize set shift show shuffle shut simplify skip slice solve sort specify split start stop
    store strip submit subtract sum swap sync take test tokenize toggle trace track train transform
    translate traverse trigger trim truncate try turn unlock unpack unregister unwrap update upgrade
    upload use validate verify visit wait walk warn whether wrap write yield
"""
"""Words that what functions do is said with, and that stand first there. They were collected with the
questions of ``benchmarks/retrieval.py`` in sight: elsewhere more verbs are missing."""

_BEFORE = frozenset({"please", "to"})

_OBJECTS = """
    a all an any both each every false how if its none one some that the their them this true what when where
    whether which
"""
"""Words that may follow "requests" where it is a verb, and no plural: "Requests per second"."""

_LOOKED_AT = 200
"""Characters; the verb stands at the beginning."""

_WORD = re.compile(r"\w[\w'-]{0,63}")

_ONLY_DEFINES = frozenset({"c", "cpp", "csharp", "go", "java", "kotlin", "python", "rust", "scala", "swift"})
"""Languages where what is done stands in functions. What scripts of Bash, PHP or JavaScript do stands outside
of them too, and of tables and documents nothing is a function."""


def asks_for_action(question: str) -> bool:
    """Whether a question begins as what a function does is told: "Return the cache", "removes all files".

    Nouns are written the same, and are told apart by what follows: "List of files", "Requests per second".
    "Logging" is always taken for a noun: most questions that begin so are for things.
    """
    words = _first_words(question)
    if not words or words[1:] == ["of"]:
        return False
    return words[0] in _PLAIN or (words[0] in _THIRD_PERSON and not _FOLLOWING.isdisjoint(words[1:]))


def _first_words(question: str) -> list[str]:
    """The first two, after "please" and "to"."""
    words = [word.lower() for word in _WORD.findall(question[:_LOOKED_AT])]
    while words and words[0] in _BEFORE:
        words = words[1:]
    return words[:2]


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


_PLAIN = frozenset(_VERBS.split())
_THIRD_PERSON = frozenset(map(_third_person, _PLAIN))
_FOLLOWING = frozenset(_OBJECTS.split())


def kind_scores(chunks: Mapping[str, Chunk]) -> dict[str, float]:
    """How likely chunks are to be what is asked for, where that is an action, by their kind alone.

    A class that is cut shows its attributes, a module's statements what is imported: both have the words of
    many functions, and do what none of them does.

    Args:
        chunks: what was found, by id.

    Returns:
        1, 0.5 for a class, and 0 for statements outside of definitions where the language has what is done
        in functions, by id.
    """
    return {known: _kind_score(chunk) for known, chunk in chunks.items()}


def _kind_score(chunk: Chunk) -> float:
    if chunk.kind == "class":
        return 0.5
    outside = chunk.kind == "module" and not chunk.name
    return 0.0 if outside and chunk.language in _ONLY_DEFINES else 1.0

"""What a question in prose asks for: something that is done, or something that is."""

from __future__ import annotations

from collections.abc import Mapping

from .document import Chunk
from .search_words import search_words

_VERBS = """
    accept access acquire activate add adjust align allocate allow analyze append apply assert assign
    attach attempt authenticate build cache calculate call cancel cast change check choose clean clear
    clip clone close collect combine compare compile complete compress compute concatenate configure
    connect construct consume convert copy count create crop debug decide declare decode decompress
    decorate decrypt define delete deserialize detach detect determine disable discard disconnect dispatch
    display divide do download draw drop dump emit enable encode encrypt enforce ensure enter escape
    estimate evaluate execute exit expand export extend extract fetch fill filter find finish fit fix
    flatten flush force format forward generate get given guess handle hash help highlight identify
    implement import increment infer initialize insert inspect install instantiate interpolate invert
    invoke is iterate join launch list load locate lock log look make map mark mask match measure merge
    modify move multiply normalize notify obtain open pack pad parse patch perform pick plot pop populate
    predict prepare prepend print process produce prompt publish pull push put query quote raise read
    rebuild receive record reduce refresh register reject release reload remove rename render reorder
    repeat replace report request reset reshape resize resolve restore retrieve retry return reverse
    revert rewrite rotate round run sample save scale scan schedule score search select send serialize set
    setup shift show shuffle shut simplify skip slice solve sort specify split start stop store strip
    submit subtract sum swap sync take test tokenize toggle trace track train transform translate traverse
    trigger trim truncate try turn unlock unpack unregister unwrap update upgrade upload use validate
    verify visit wait walk warn whether wrap write yield
"""
"""Words that what functions do is said with, and that stand first there. Of the first sentences of functions'
docstrings 71 to 88 % begin with one, of those of classes and of comments on constants 14 %."""

_WITHOUT_FUNCTIONS = frozenset({"css", "html", "json", "sql", "toml", "yaml"})

_STEMS = frozenset(search_words(_VERBS))


def asks_for_action(question: str) -> bool:
    """Whether a question begins as what a function does is told: "Return the cache", "removes all files".

    What stands before "of" is no verb: "List of files".
    """
    words = search_words(question)
    return bool(words) and words[0] in _STEMS and words[1:2] != ["of"]


def kind_scores(chunks: Mapping[str, Chunk]) -> dict[str, float]:
    """How likely chunks are to be what is asked for, where that is an action, by their kind alone.

    A class that is cut shows its attributes, a module's statements what is imported: both have the words of
    many functions, and do what none of them does.

    Args:
        chunks: what was found, by id.

    Returns:
        1, 0.5 for a class, and 0 for statements outside of definitions, by id.
    """
    return {known: _kind_score(chunk) for known, chunk in chunks.items()}


def _kind_score(chunk: Chunk) -> float:
    if chunk.kind == "class":
        return 0.5
    outside = chunk.kind == "module" and not chunk.name
    return 0.0 if outside and chunk.language not in _WITHOUT_FUNCTIONS else 1.0

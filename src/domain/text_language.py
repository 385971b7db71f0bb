"""Which language a text seems to be in: by its script, and where that is Latin by its commonest words.

It tells English, Italian, French, German, Spanish, Portuguese and Dutch apart, in texts of a dozen words or
more, and else says that it does not know. Of the other scripts it knows the script alone: Russian and
Ukrainian are one to it. Code in fences is no text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_LONGEST = 4_000
_LEAST_WORDS = 3
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {"CJK": "han", "HIRAGANA": "kana", "KATAKANA": "kana"}

# Words that another of these languages has as well say nothing and are left out.
_COMMON = {
    "english": "the and of to is that for with this are was you it be have from they which what there",
    "italian": "il di che è per sono della gli nel dei alla delle questo questa anche più come cosa dell "
    "nella essere perché quindi della sulla hai ho",
    "french": "les des est pour dans vous qui sur avec pas plus nous sont ce cette aux mais où être leur",
    "german": "der die und das ist nicht mit für auf ein eine zu den sich auch dem von wird sind ich",
    "spanish": "el los las y es por para una del con está son pero más muy como esta este puede hay",
    "portuguese": "os não uma com dos das mais são está também pelo pela você isso muito ao em um foi seu",
    "dutch": "het een van niet zijn met voor dat op ook aan wordt maar naar bij deze heeft wat deze kan",
}
_PROFILES = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_SHARED = {word for word, count in Counter(w for p in _PROFILES.values() for w in p).items() if count > 1}


def language_of(text: str) -> str | None:
    """The language, or the script where that is not Latin; None where too little says so."""
    read = _FENCED.sub(" ", text[:_LONGEST])
    script = _script_of(read)
    return _latin_language(read) if script == "latin" else script


def _script_of(text: str) -> str | None:
    names = Counter(unicodedata.name(letter, "?").split(" ")[0] for letter in text if letter.isalpha())
    if not names:
        return None
    first = names.most_common(1)[0][0]
    if names["HIRAGANA"] + names["KATAKANA"] > sum(names.values()) / 10:
        return "kana"
    return _SCRIPTS.get(first, first.lower())


def _latin_language(text: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(text)]
    counts = {
        language: sum(word in profile - _SHARED for word in words) for language, profile in _PROFILES.items()
    }
    (first, most), (_, second) = sorted(counts.items(), key=lambda pair: -pair[1])[:2]
    return first if most >= _LEAST_WORDS and most >= 2 * second else None


def same_language(prompt: str, answer: str) -> bool:
    """Whether an answer is in the prompt's language; what cannot be told is not held against it."""
    asked, given = language_of(prompt), language_of(answer)
    return asked is None or given is None or asked == given

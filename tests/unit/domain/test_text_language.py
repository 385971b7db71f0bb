"""Which language a text is in."""

from __future__ import annotations

import pytest

from cesello.domain.text_language import language_of, same_language

TEXTS = {
    "english": "The list is sorted in place, and the function returns nothing; this is what you want.",
    "italian": "La funzione ordina la lista e non dà nulla: questo è il modo della libreria.",
    "french": "La fonction trie la liste sur place et ne renvoie rien, ce qui est pour vous plus simple.",
    "german": "Die Funktion sortiert die Liste und gibt nichts zurück, das ist für dich auch nicht schlimm.",
    "spanish": "La función ordena la lista y no devuelve nada, pero es más rápida para los casos grandes.",
    "portuguese": "A função ordena a lista e não devolve nada, mas isso é muito mais rápido para você.",
    "dutch": "De functie sorteert de lijst en geeft niets terug, het is voor deze taak niet van belang.",
    "cyrillic": "Функция сортирует список на месте и ничего не возвращает.",
    "greek": "Η συνάρτηση ταξινομεί τη λίστα.",
    "han": "该函数就地排序列表，不返回任何内容。",
    "kana": "この関数はリストをその場で並べ替えます。",
    "hangul": "이 함수는 목록을 정렬합니다.",
    "arabic": "هذه الدالة ترتب القائمة.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_is_known(language: str) -> None:
    assert language_of(TEXTS[language]) == language


@pytest.mark.parametrize("text", ["", "42", "print(x)", "```python\nthe and of to is that\n```", "Ciao!"])
def test_too_little_is_not_known(text: str) -> None:
    assert language_of(text) is None or language_of(text) == "latin"


def test_an_answer_is_held_to_the_language_of_its_question() -> None:
    assert same_language(TEXTS["italian"], TEXTS["italian"])
    assert not same_language(TEXTS["italian"], TEXTS["english"])
    assert not same_language(TEXTS["english"], TEXTS["han"])
    assert same_language(TEXTS["italian"], "42")
    assert same_language("Ciao!", TEXTS["english"])

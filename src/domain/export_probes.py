"""Conversations that two models are compared on where a run has no held-out rows to give."""

from __future__ import annotations

from .conversation import Conversation, Message, Role

_TALKS = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Write a function in Python that adds two numbers.", "def add(a, b):\n    return a + b"),
    ("Come si dice grazie in inglese?", 'In inglese si dice "thank you".'),
    ("Name three colours.", "Red, green and blue."),
    ("What is 17 times 3?", "17 times 3 is 51."),
    ("Explain in one sentence what a list is in Python.", "A list holds values in order and can be changed."),
    ("Scrivi una frase sul mare.", "Il mare era calmo e il sole scendeva lento."),
    ("Give me a JSON object with a name and an age.", '{"name": "Ada", "age": 36}'),
)

BUILT_IN = tuple(
    Conversation((Message(Role.USER, question), Message(Role.ASSISTANT, answer)))
    for question, answer in _TALKS
)

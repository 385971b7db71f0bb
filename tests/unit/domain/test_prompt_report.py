from __future__ import annotations

from dataclasses import replace

from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_report import prompt_diff


def test_a_diff_is_by_component_that_differs() -> None:
    old = PromptProgram(system="Answer.\nBe brief.", procedure="1. Read.")
    new = replace(old, system="Answer.\nThink.", demos=(Demo("2 + 2?", "4"),))
    found = prompt_diff(old, new)
    assert list(found) == ["system", "demos"]
    assert found["system"].splitlines()[-3:] == [" Answer.", "-Be brief.", "+Think."]
    assert found["demos"].splitlines()[-2:] == ["+Q: 2 + 2?", "+A: 4"]
    assert prompt_diff(old, old) == {}

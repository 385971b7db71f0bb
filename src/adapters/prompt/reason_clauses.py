"""Which instruction may help against which reason code of the rewards, and which may help anyway.

Every code that cesello's rewards give to an answer stands here; those that speak of the row or of the grader
(``no_reference``, ``no_code_asked``, ``untested``, ...) have no instruction: no prompt changes them.
"""

from __future__ import annotations

from collections.abc import Mapping

_TAGS = "Write each call between <tool_call> and </tool_call>, and nothing before or after."
_JSON = 'A call is one JSON object with the keys "name" and "arguments".'
_CALL = "When a function can do what is asked, call it instead of answering in words."
_PICK = "Choose the function whose description fits the request, and copy its name exactly."
_ALL = "Give every required parameter a value taken from the request."
_ONLY = "Use only the parameters that the function lists."
_TYPES = "Give numbers as numbers, lists as lists and texts in quotes, as the parameter's type says."
_VALUES = "Take the values from the request as they are written there."
_LISTED = "Where a parameter lists the values it allows, use one of them."
_REFUSE = "When no function fits the request, say so in a sentence and call none."
_SENTENCE = "Answer in whole sentences of your own."
_BRIEF = "Be brief: answer what was asked and stop."
_LONGER = "Explain your answer in a few sentences."
_CODE = "Answer with one Python code block that holds the whole program."
_NAMED = "Define the function under exactly the name that is asked for."
_WHOLE = "Write the complete code: no placeholders, no `pass`, no `...`."
_USE = "Use every argument of the function."
_EDGES = "Think of empty input, zero and negative numbers before you write the code."
_FAST = "Choose an algorithm that ends quickly on large inputs."
_QUIET = "Return the result; print nothing and read no input."
_STEPS = "Think step by step, then give the result."
_BOX = "End with the final result in \\boxed{}."
_ONE = "Give one final result only."
_NUMBER = "Work the result out to a plain number."
_ALONE = "Answer with the value alone: no sentence around it, and no second candidate."
_FORMULA = "Write the result as mathematics alone, without words or units."
_ANSWER = "Give the final answer between <answer> and </answer>, and nothing else there."
_FORM = "Keep exactly to the form of answer that is asked for."
_PURE = "Answer with JSON alone, without words or code fences around it."
_SAME = "Answer in the language of the question."
_VARY = "Say each thing once; do not repeat yourself."

CLAUSES: Mapping[str, tuple[str, ...]] = {
    # function_calling
    "no_call": (_CALL, _TAGS, _JSON),
    "invalid_json": (_JSON, _TAGS, _PURE),
    "wrong_function": (_PICK, _CALL),
    "unknown_function": (_PICK,),
    "wrong_arguments": (_VALUES, _ALL, _TYPES),
    "missing_parameter": (_ALL,),
    "unknown_parameter": (_ONLY,),
    "value_not_listed": (_LISTED,),
    "wrong_type": (_TYPES,),
    "needless_call": (_REFUSE,),
    "empty": (_SENTENCE, _LONGER),
    "echo": (_SENTENCE,),
    # answer
    "not_alone": (_ALONE, _ONE),
    # coding, and programs in general
    "no_code": (_CODE, _NAMED),
    "does_not_parse": (_CODE, _WHOLE),
    "undefined": (_NAMED,),
    "placeholder": (_WHOLE,),
    "ignores_arguments": (_USE, _WHOLE),
    "wrong": (_STEPS, _EDGES),
    "crash": (_EDGES, _QUIET),
    "timeout": (_FAST,),
    "limit": (_FAST,),
    "invalid_output": (_QUIET,),
    "copied": (_STEPS, _WHOLE),
    # math and reasoning_gym
    "no_answer": (_BOX, _ANSWER),
    "answer_not_mathematics": (_FORMULA, _BOX),
    "answer_too_long": (_ONE, _FORMULA),
    "answer_too_deep": (_FORMULA, _NUMBER),
    "several_answers": (_ONE,),
    "not_worked_out": (_NUMBER, _STEPS),
    "not_a_number": (_NUMBER, _ANSWER),
    "answer_not_of_the_task": (_ANSWER, _FORM),
    # format
    "no_match": (_FORM, _BRIEF),
    "too_deep": (_PURE, _FORM),
    "schema": (_FORM, _PURE),
    # chat and length
    "low_length": (_LONGER, _BRIEF),
    "low_repetition": (_VARY,),
    "low_language": (_SAME,),
    "too_short": (_LONGER,),
    "too_long": (_BRIEF,),
    "clipped": (_BRIEF,),
}

GENERAL = (
    "Read the request twice before you answer.",
    _STEPS,
    _BRIEF,
    "Check your answer against the request before you give it.",
    _FORM,
    "Follow the instructions exactly.",
)
"""For when all answers fail alike, or fail for reasons that are not in the table."""

OWN = frozenset(clause for clauses in CLAUSES.values() for clause in clauses) | frozenset(GENERAL)
"""What a rule may also move and take away again; a person's own sentences stay."""


def clauses_for(reason: str) -> tuple[str, ...]:
    """The instructions for a reason code, also for one in front of which a blend wrote its reward's name."""
    parts = reason.split(":")
    return next((CLAUSES[part] for part in (reason, *parts) if part in CLAUSES), ())

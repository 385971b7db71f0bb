"""Keeps other libraries' chatter off a person's terminal; ``--debug`` lets it through."""

from __future__ import annotations

import logging
import warnings

_CHATTY = (
    "bitsandbytes",
    "lightning",
    "lightning.pytorch",
    "lightning.fabric",
    "peft",
    "sentence_transformers",
)


def quieten(debug: bool) -> None:
    """Called before a command loads a model."""
    if debug:
        return
    warnings.simplefilter("ignore")
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()

"""Keeps other libraries' chatter off a person's terminal; ``--debug`` lets it through."""

from __future__ import annotations

import logging
import warnings

# By their own names: importing lightning sets the level of the loggers above its own anew.
_CHATTY = (
    "bitsandbytes",
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.rank_zero",
    "peft",
    "torch.utils._pytree",
    "torchao",
)


def quieten(debug: bool, *, transformers: bool = True) -> None:
    """Called before a command loads a model."""
    if debug:
        return
    warnings.simplefilter("ignore")
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not transformers:
        return
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()

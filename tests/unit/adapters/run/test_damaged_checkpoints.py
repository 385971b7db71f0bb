"""Every changed bit of a checkpoint is noticed, and told in a sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from tests.unit.adapters.run.saved_checkpoints import FILES, cut, is_saved, manifest_of


def forge(place: Path, content: str | bytes, **more: Any) -> None:
    """Another state, with a manifest that is right about it."""
    (place / "state.json").write_bytes(content.encode() if isinstance(content, str) else content)
    files = {name: (place / name).read_bytes() for name in FILES[1:]}
    (place / "MANIFEST.json").write_text(manifest_of(files, **more))


def test_a_thousand_flipped_bits_are_a_thousand_damages(two: FolderCheckpoints, folder: Path) -> None:
    random = Random(0)
    noticed = 0
    for _ in range(1000):
        path = folder / "step-00000002" / random.choice(FILES)
        whole = path.read_bytes()
        broken = bytearray(whole)
        broken[random.randrange(len(broken))] ^= 1 << random.randrange(8)
        path.write_bytes(broken)
        found, damages = two.newest()
        noticed += len(damages) == 1 and found is not None and is_saved(found, 1)
        path.write_bytes(whole)
    assert noticed == 1000
    found, damages = two.newest()
    assert found is not None
    assert is_saved(found, 2)
    assert not damages


class Damage(NamedTuple):
    do: Callable[[Path], object]
    told: str
    """A part of the sentence."""


def empty(path: Path) -> None:
    os.truncate(path, 0)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def link(path: Path) -> None:
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def take(path: Path) -> None:
    """Takes the place of the file of the checkpoint before."""
    shutil.copy(path.parents[1] / "step-00000001" / path.name, path)


def exchange(place: Path) -> None:
    (place / "lora.safetensors").rename(place / "x")
    (place / "optimizer.safetensors").rename(place / "lora.safetensors")
    (place / "x").rename(place / "optimizer.safetensors")


def lose_all(place: Path) -> None:
    shutil.rmtree(place)
    place.mkdir()


def become_a_file(place: Path) -> None:
    shutil.rmtree(place)
    place.write_text("")


def become_the_one_before(place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(place.parent / "step-00000001", place)


def damages_of_a_file(name: str) -> dict[str, Damage]:
    doings: dict[str, Callable[[Path], object]]
    doings = {"cut": cut, "emptied": empty, "lengthened": lengthen, "missing": Path.unlink, "another's": take}
    strange = {"a link": link, "a pipe": pipe}

    def at(do: Callable[[Path], object], place: Path) -> None:
        do(place / name)

    return {
        **{f"{name} {what}": Damage(partial(at, do), name) for what, do in doings.items()},
        **{f"{name} {what}": Damage(partial(at, do), f"{name} is no") for what, do in strange.items()},
    }


DAMAGES = {
    **{what: damage for name in FILES for what, damage in damages_of_a_file(name).items()},
    "a file more": Damage(lambda place: (place / "x").write_bytes(b""), "got lora.safetensors, opt"),
    "a hidden file more": Damage(lambda place: (place / ".x").write_bytes(b""), "got .x, lora"),
    "a folder more": Damage(lambda place: (place / "x").mkdir(), "x is no regular file"),
    "two files exchanged": Damage(exchange, "lora.safetensors: sha256"),
    "a file of another name": Damage(
        lambda place: (place / "lora.safetensors").rename(place / "LORA.safetensors"), "got LORA"
    ),
    "nothing in it": Damage(lose_all, "MANIFEST.json is missing"),
    "a file in its place": Damage(become_a_file, "Not a directory"),
    "under another step": Damage(become_the_one_before, "MANIFEST.json: step: got 1, expected 2"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_told_and_the_one_before_is_read(two: FolderCheckpoints, folder: Path, what: str) -> None:
    DAMAGES[what].do(folder / "step-00000002")
    found, [sentence] = two.newest()
    assert found is not None
    assert is_saved(found, 1)
    assert sentence.startswith("the checkpoint step-00000002 is damaged and was passed over: ")
    assert DAMAGES[what].told in sentence
    best = two.best()
    assert best is not None
    assert best.state.step == 1


WHOLE = json.loads(
    '{"step": 2, "held_out": null, "optimizer": {}, "identity": {}, "logs": {}, "progress": {}}'
)
MARK = {"size": 1, "sha256": "0" * 64}
FORGED: dict[str, str | bytes] = {
    "no object": "[]",
    "a field less": json.dumps({name: value for name, value in WHOLE.items() if name != "logs"}),
    "a field more": json.dumps(WHOLE | {"more": 1}),
    "a field twice": json.dumps(WHOLE)[:-1] + ', "step": 2}',
    "another step": json.dumps(WHOLE | {"step": 3}),
    "a step that is no number": json.dumps(WHOLE | {"step": "2"}),
    "a step that is a truth": json.dumps(WHOLE | {"step": True}),
    "a step with a point": json.dumps(WHOLE | {"step": 2.0}),
    "a loss that is a text": json.dumps(WHOLE | {"held_out": "1"}),
    "an optimizer that is a list": json.dumps(WHOLE | {"optimizer": []}),
    "progress that is nothing": json.dumps(WHOLE | {"progress": None}),
    "an identity that is a number": json.dumps(WHOLE | {"identity": {"a": 1}}),
    "a mark that is a number": json.dumps(WHOLE | {"logs": {"metrics.jsonl": 1}}),
    "a mark without a size": json.dumps(WHOLE | {"logs": {"metrics.jsonl": {"sha256": "0" * 64}}}),
    "a mark of less than nothing": json.dumps(WHOLE | {"logs": {"metrics.jsonl": MARK | {"size": -1}}}),
    "a mark of a sum that is none": json.dumps(WHOLE | {"logs": {"metrics.jsonl": MARK | {"sha256": "0"}}}),
    "a mark of a file elsewhere": json.dumps(WHOLE | {"logs": {"../metrics.jsonl": MARK}}),
    "a mark of what is no log": json.dumps(WHOLE | {"logs": {"manifest.json": MARK}}),
    "NaN": json.dumps(WHOLE | {"held_out": float("nan")}),
    "no number in words": json.dumps(WHOLE | {"held_out": {"$float": "1.0"}}),
    "no JSON": "{",
    "not UTF-8": b"\xff",
    "depth": json.dumps(WHOLE)[:-2] + '"a": ' + "[" * 100_000 + "]" * 100_000 + "}}",
}


@pytest.mark.parametrize("what", FORGED)
def test_a_state_of_another_form_is_damage_even_with_a_manifest(
    two: FolderCheckpoints, folder: Path, what: str
) -> None:
    forge(folder / "step-00000002", FORGED[what])
    found, [sentence] = two.newest()
    assert found is not None
    assert found.state.step == 1
    assert "state.json" in sentence


def test_a_state_of_the_right_form_is_none(two: FolderCheckpoints, folder: Path) -> None:
    forge(folder / "step-00000002", json.dumps(WHOLE | {"logs": {"metrics.jsonl": MARK}}))
    assert two.newest()[1] == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"form": 2}, "form: got 2, expected 1"),
        ({"form": "1"}, "form is str, expected int"),
        ({"files": []}, "files is list, expected dict"),
        ({"files": {"state.json": 1}}, "state.json is int, expected an object"),
        ({"files": {}}, "tells of no state.json"),
        ({"more": 1}, "the fields: got checksum, files, form, more, step"),
    ],
)
def test_a_manifest_of_another_form_is_damage(
    two: FolderCheckpoints, folder: Path, more: dict[str, Any], told: str
) -> None:
    forge(folder / "step-00000002", json.dumps(WHOLE), **more)
    assert told in two.newest()[1][0]


def test_all_damaged_is_none_with_a_sentence_each(two: FolderCheckpoints, folder: Path) -> None:
    for step in (1, 2):
        cut(folder / f"step-0000000{step}" / "lora.safetensors")
    found, damages = two.newest()
    assert (found, [sentence.split()[2] for sentence in damages]) == (
        None,
        ["step-00000002", "step-00000001"],
    )
    assert two.best() is None

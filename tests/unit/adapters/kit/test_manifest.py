from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.kit.manifest import decode, encode
from cesello.domain.kit_state import KitFile, KitManifest

FILE = KitFile("inner/a.json", 2, "cd" * 32, 1_700_000_000)
MANIFEST = KitManifest("words", "words==1.0", "ab" * 20, (FILE,))
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
files = st.builds(KitFile, names, st.integers(0), names, st.integers(0))


@given(st.builds(KitManifest, st.text(), st.text(), names, st.lists(files).map(tuple)))
def test_a_manifest_comes_back_as_it_was(manifest: KitManifest) -> None:
    assert decode(encode(manifest)) == manifest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"item": "words"}',
        encode(MANIFEST).replace("a.json", "b.json"),
        encode(MANIFEST).replace('"size": 2', '"size": 3'),
        encode(MANIFEST)[:-20],
        encode(KitManifest("words", "p", "r", (KitFile("../../secret", 1, "ab", 1),))),
        encode(KitManifest("words", "p", "r", (KitFile("/etc/passwd", 1, "ab", 1),))),
    ],
)
def test_a_manifest_that_was_not_written_so_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)

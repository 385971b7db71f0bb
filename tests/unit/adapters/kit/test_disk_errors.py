from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cesello.adapters.kit.disk_errors import explained
from cesello.domain.errors import CeselloError, RetryableError, StorageError


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [
        (errno.ENOSPC, RetryableError, 75),
        (errno.EDQUOT, RetryableError, 75),
        (errno.EACCES, StorageError, 74),
        (errno.EROFS, StorageError, 74),
        (errno.EIO, StorageError, 74),
    ],
)
def test_a_failure_of_the_disk_is_explained(number: int, kind: type[CeselloError], status: int) -> None:
    with pytest.raises(kind) as caught, explained(Path("place")):
        raise OSError(number, os.strerror(number), "file")
    assert caught.value.exit_status == status
    assert caught.value.where == "file"
    assert "CESELLO_HOME" in str(caught.value)


def test_an_error_without_a_file_names_the_place() -> None:
    with pytest.raises(StorageError) as caught, explained(Path("place")):
        raise OSError("broken")
    assert (caught.value.where, caught.value.got) == ("place", "broken")

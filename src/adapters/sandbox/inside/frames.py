"""Messages over a socket: four bytes of length, then JSON."""

from __future__ import annotations

import json
import socket
from typing import Any

_LENGTH_BYTES = 4


class TooLong(Exception):
    """The other side announced a message longer than it may send."""


class Frames:
    """One end of a connection.

    Args:
        longest: bytes of a message that is taken.
    """

    def __init__(self, end: socket.socket, longest: int = 2**31) -> None:
        self._end = end
        self._longest = longest

    def send(self, message: Any) -> None:
        """Raises OSError when nobody listens."""
        text = json.dumps(message, separators=(",", ":")).encode()
        self._end.sendall(len(text).to_bytes(_LENGTH_BYTES, "big") + text)

    def receive(self) -> Any:
        """The next message.

        Raises:
            EOFError: the other side has ended.
            TooLong: the message is longer than it may be.
            ValueError: it is not JSON.
        """
        length = int.from_bytes(self._exactly(_LENGTH_BYTES), "big")
        if length > self._longest:
            raise TooLong
        try:
            return json.loads(self._exactly(length))
        except RecursionError as cause:
            raise ValueError("a message is nested too deeply") from cause

    def _exactly(self, count: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < count:
            piece = self._end.recv(min(count - len(pieces), 2**20))
            if not piece:
                raise EOFError
            pieces += piece
        return bytes(pieces)

"""Unpacking the hidden tests of LiveCodeBench: base64 of zlib of a pickled JSON string."""

import base64
import binascii
import io
import pickle
import zlib
from typing import Any, NoReturn

MAX_BYTES = 2**29
"""Unpacked tests of one problem take no more; zlib can shrink zeros a thousandfold."""


def unpack_text(packed: str) -> str:
    """The string that was packed.

    The pickle may hold a string and nothing else: every global name is refused, so nothing of the
    data is ever called.

    Raises:
        ValueError: the data is damaged, too large, or holds something else.
    """
    try:
        compressed = base64.b64decode(packed, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not valid base64: {error}") from error
    text = _load(_decompress(compressed))
    if isinstance(text, bytes):
        text = text.decode()
    if not isinstance(text, str):
        raise ValueError(f"the pickle holds a {type(text).__name__}, not a string")
    return text


def _decompress(compressed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        unpacked = decompressor.decompress(compressed, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"cannot be decompressed: {error}") from error
    if decompressor.unconsumed_tail:
        raise ValueError(f"more than {MAX_BYTES} bytes when decompressed")
    if not decompressor.eof:
        raise ValueError("cannot be decompressed: it ends too early")
    return unpacked


def _load(pickled: bytes) -> Any:
    try:
        return _OnlyBuiltinValues(io.BytesIO(pickled)).load()
    except ValueError:
        raise
    except Exception as error:  # damaged pickles raise errors of nearly every kind
        raise ValueError(f"not a pickle of a string: {error}") from error


class _OnlyBuiltinValues(pickle.Unpickler):
    """Without globals a pickle can build strings, numbers and containers, and call nothing."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise ValueError(f"the pickle asks for {module_name}.{global_name}, which is refused")

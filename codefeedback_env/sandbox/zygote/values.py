"""Values of builtin types as bytes; imported inside the jail and outside.

What a program hands over is read with this and nothing else: no pickle, nothing evaluated, sizes
and nesting bounded. A value of a subclass travels as the builtin value it is, so ``==`` and the
like are always the builtin ones on the other side. Shared parts arrive as copies.
"""

import struct
import sys
from array import array
from collections.abc import Callable
from itertools import accumulate
from types import GeneratorType
from typing import Any

MAX_BYTES = 16 << 20
MAX_DEPTH = 100
MAX_EQUAL_HASHES = 64
"""Keys of one hash in a container, where each is compared with all the others. Floats of one hash
are fewer, and so are the powers of two below 2**3904."""

_MIN_VECTOR = 8  # from this many items on, items of one type travel as one array

_COUNT = struct.Struct("<I")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_CONSTANTS: dict[Any, bytes] = {None: b"N", True: b"T", False: b"F"}
_CONSTANT_OF = {tag[0]: value for value, tag in _CONSTANTS.items()}
_ITERATORS = frozenset(map(type, (iter(()), iter([]), map(id, ()), filter(id, ()), zip())))
_CONTAINERS: tuple[tuple[type, bytes], ...] = (
    (list, b"l"),
    (tuple, b"t"),
    (set, b"S"),
    (frozenset, b"Z"),
)
_MAKERS: dict[int, Callable[[Any], Any]] = {
    ord("l"): list,
    ord("t"): tuple,
    ord("S"): set,
    ord("Z"): frozenset,
    ord("I"): iter,
}


class ValueTransferError(ValueError):
    """A value has no bytes, or bytes have no value."""


Refer = Callable[[object], int]
"""Gives a number for an object that stays where it is."""

Resolve = Callable[[int], object]
"""Gives the object, or what stands for it, for a number."""


def encode(value: object, refer: Refer | None = None) -> bytes:
    """The bytes of a value.

    Args:
        value: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset,
            dict, range, a number of numpy's, an iterator (its items are taken), nested.
        refer: called for objects of other types; None refuses them.

    Raises:
        ValueTransferError: the value is of another type, nested more than MAX_DEPTH deep, or longer
            than MAX_BYTES.
    """
    encoder = _Encoder(refer)
    encoder.add(value, 0)
    return b"".join(encoder.parts)


def decode(data: bytes, resolve: Resolve | None = None, iterators: bool = True) -> Any:
    """The value of bytes that anybody may have written.

    Args:
        data: what ``encode`` gave, or something else.
        resolve: called for objects of other types; None refuses them.
        iterators: whether there may be any.

    Raises:
        ValueTransferError: the bytes are not what ``encode`` gives, or it would take for ever to
            build their sets and dictionaries.
    """
    if len(data) > MAX_BYTES:
        raise _too_long()
    decoder = _Decoder(data, resolve, iterators)
    try:
        value = decoder.next(0)
    except ValueTransferError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, struct.error) as error:
        raise ValueTransferError(f"no value: {error}") from None
    if decoder.position != len(data):
        raise ValueTransferError("bytes are left over after a value")
    return value


def is_iterator(value: object) -> bool:
    """Whether a value is a generator or one of the builtin iterators, gone once it is read."""
    return type(value) is GeneratorType or type(value) in _ITERATORS


class _Encoder:
    def __init__(self, refer: Refer | None) -> None:
        self.parts: list[bytes] = []
        self._refer = refer
        self._num_bytes = 0

    def add(self, value: Any, depth: int) -> None:
        kind = type(value)
        if value is None or kind is bool:
            self._put(_CONSTANTS[value])
        elif kind is int or (isinstance(value, int)):
            self._put(b"i", _integer(int.__index__(value)))
        elif isinstance(value, float):
            self._put(b"d", _FLOAT.pack(float.__float__(value)))
        elif isinstance(value, str):
            self._put(b"s", _sized(str.encode(value, "utf-8", "surrogatepass")))
        elif isinstance(value, bytes):
            self._put(b"b", _sized(bytes.join(b"", [value])))
        elif isinstance(value, bytearray):
            self._put(b"y", _sized(bytes(memoryview(value))))
        elif isinstance(value, complex):
            self._put(b"c", _COMPLEX.pack(complex(value).real, complex(value).imag))
        elif kind is range:
            ends = (value.start, value.stop, value.step)
            self._put(b"r", *(_integer(end) for end in ends))
        else:
            self._add_container(value, kind, depth + 1)

    def _add_container(self, value: Any, kind: type, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueTransferError(f"it is nested more than {MAX_DEPTH} deep")
        for base, tag in _CONTAINERS:
            if isinstance(value, base):
                self._put(tag)
                self._add_items([*base.__iter__(value)], depth)  # type: ignore[attr-defined]
                return
        if isinstance(value, dict):
            pairs = [*dict.items(value)]
            self._put(b"D")
            self._add_items([key for key, _ in pairs], depth)
            self._add_items([item for _, item in pairs], depth)
        elif is_iterator(value):
            self._put(b"I")
            items = []
            for item in value:  # an endless one ends here, before the memory does
                items.append(item)
                if len(items) > MAX_BYTES:
                    raise _too_long()
            self._add_items(items, depth)
        elif (plain := _plain_number(value)) is not None:
            self.add(plain, depth)
        elif self._refer is not None:
            self._put(b"o", _COUNT.pack(self._refer(value)))
        else:
            raise ValueTransferError(f"it is, or holds, an object of type {kind.__name__!r}")

    def _add_items(self, items: list[Any], depth: int) -> None:
        count = _COUNT.pack(len(items))
        kinds = set(map(type, items)) if len(items) >= _MIN_VECTOR else ()
        if len(kinds) == 1:
            (kind,) = kinds
            if kind is int:
                try:
                    self._put(b"q", count, _little_endian(array("q", items)))
                except OverflowError:
                    pass
                else:
                    return
            elif kind is float:
                self._put(b"e", count, _little_endian(array("d", items)))
                return
            elif kind is str:
                lengths = _little_endian(array("q", map(len, items)))
                text = "".join(items).encode("utf-8", "surrogatepass")
                self._put(b"u", count, lengths, _sized(text))
                return
        self._put(b"m", count)
        for item in items:
            self.add(item, depth)

    def _put(self, *parts: bytes) -> None:
        self.parts += parts
        self._num_bytes += sum(map(len, parts))
        if self._num_bytes > MAX_BYTES:
            raise _too_long()


class _Decoder:
    def __init__(self, data: bytes, resolve: Resolve | None, iterators: bool) -> None:
        self._data = data
        self._resolve = resolve
        self._iterators = iterators
        self.position = 0

    def next(self, depth: int) -> Any:
        tag = self._take(1)[0]
        if tag in _CONSTANT_OF:
            return _CONSTANT_OF[tag]
        match chr(tag):
            case "i":
                return self._integer()
            case "d":
                return _FLOAT.unpack(self._take(8))[0]
            case "s":
                return self._sized().decode("utf-8", "surrogatepass")
            case "b":
                return self._sized()
            case "y":
                return bytearray(self._sized())
            case "c":
                return complex(*_COMPLEX.unpack(self._take(16)))
            case "r":
                return range(self._integer(), self._integer(), self._integer())
            case "o" if self._resolve is not None:
                return self._resolve(self._count())
        if depth >= MAX_DEPTH:
            raise ValueTransferError(f"a value is nested more than {MAX_DEPTH} deep")
        match chr(tag):
            case "D":
                keys = self._keys(depth + 1)
                return dict(zip(keys, self._items(depth + 1), strict=True))
            case "S" | "Z":
                return _MAKERS[tag](self._keys(depth + 1))
            case "I" if not self._iterators:
                raise ValueTransferError("it is, or holds, an iterator; return a list")
        if tag not in _MAKERS:
            raise ValueTransferError(f"there is no type {tag}")
        return _MAKERS[tag](self._items(depth + 1))

    def _keys(self, depth: int) -> list[Any]:
        """Items for a set or a dictionary, which must not take quadratic time."""
        keys = self._items(depth)
        hashes = [*map(hash, keys)]
        if len(hashes) - len(set(hashes)) >= MAX_EQUAL_HASHES:
            counts: dict[int, int] = {}
            for number in hashes:
                counts[number] = counts.get(number, 0) + 1
            if max(counts.values()) > MAX_EQUAL_HASHES:
                raise ValueTransferError(f"more than {MAX_EQUAL_HASHES} keys have the same hash")
        return keys

    def _items(self, depth: int) -> list[Any]:
        kind = self._take(1)
        count = self._count()
        match kind:
            case b"m":
                if count > len(self._data) - self.position:
                    raise ValueTransferError("a value has fewer items than it says")
                return [self.next(depth) for _ in range(count)]
            case b"q":
                return self._array("q", count).tolist()
            case b"e":
                return self._array("d", count).tolist()
            case b"u":
                return self._strings(count)
        raise ValueTransferError(f"there are no items of kind {kind!r}")

    def _strings(self, count: int) -> list[str]:
        lengths = self._array("q", count).tolist()
        text = self._sized().decode("utf-8", "surrogatepass")
        if sum(lengths) != len(text) or min(lengths, default=0) < 0:
            raise ValueTransferError("the lengths of strings do not fit")
        ends = [*accumulate(lengths)]
        return [text[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def _array(self, kind: str, count: int) -> "array[Any]":
        items = array(kind)
        items.frombytes(self._take(8 * count))
        if sys.byteorder == "big":
            items.byteswap()
        return items

    def _integer(self) -> int:
        return int.from_bytes(self._sized(), "little", signed=True)

    def _sized(self) -> bytes:
        return self._take(self._count())

    def _count(self) -> int:
        return int(_COUNT.unpack(self._take(4))[0])

    def _take(self, num_bytes: int) -> bytes:
        start = self.position
        self.position = start + num_bytes
        if self.position > len(self._data):
            raise ValueTransferError("a value ends too early")
        return self._data[start : self.position]


def _integer(value: int) -> bytes:
    return _sized(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise _too_long()
    return _COUNT.pack(len(data)) + data


def _little_endian(items: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        items.byteswap()
    return items.tobytes()


def _plain_number(value: Any) -> Any:
    """A number of numpy's as a builtin one, None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return None
    plain = value.item()
    return plain if isinstance(plain, int | float | complex | str | bytes) else None


def _too_long() -> ValueTransferError:
    return ValueTransferError(f"it is longer than {MAX_BYTES >> 20} MiB")

"""What crosses between jails: builtin values, and garbage that is refused."""

import collections
import contextlib
import enum
import math
import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codefeedback_env.judge.function_rules import RULES
from codefeedback_env.sandbox.zygote import exchange, values
from codefeedback_env.sandbox.zygote.values import ValueTransferError, decode, encode

KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.text())
LEAVES = (
    KEYS
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.builds(range, st.integers(), st.integers(), st.integers(min_value=1))
    | st.binary().map(bytearray)
    | st.text(st.characters()).map(lambda text: text + "\ud800")
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.sets(KEYS, max_size=12)
        | st.frozensets(KEYS, max_size=12)
        | st.lists(st.integers(), min_size=8, max_size=20)
        | st.lists(st.text(), min_size=8, max_size=20)
        | st.lists(st.floats(allow_nan=False), min_size=8, max_size=20)
    ),
    max_leaves=30,
)


def shape(value):
    """The value with its types spelled out: == alone takes True for 1."""
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    if isinstance(value, dict):
        return dict, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(repr, value))
    return type(value), repr(value)


@given(VALUES)
def test_value_comes_back_with_its_type(value):
    assert shape(decode(encode(value))) == shape(value)


@given(st.binary(max_size=200))
def test_garbage_is_a_value_or_refused(data):
    with contextlib.suppress(ValueTransferError):
        decode(data)


@given(VALUES, st.data())
def test_damaged_bytes_are_a_value_or_refused(value, data):
    encoded = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(encoded) - 1))
        encoded[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueTransferError):
        decode(bytes(encoded))


@given(VALUES, st.integers(1, 8))
def test_cut_bytes_are_refused(value, num_missing):
    encoded = encode(value)
    with pytest.raises(ValueTransferError):
        decode(encoded[: max(len(encoded) - num_missing, 0)])


def test_special_floats_and_long_integers():
    assert math.isnan(decode(encode(math.nan)))
    assert decode(encode([math.inf, -math.inf, -0.0])) == [math.inf, -math.inf, -0.0]
    for number in (10**20_000, -(10**20_000), 2**63, -(2**63), 2**63 - 1):
        assert decode(encode([number] * 9)) == [number] * 9


class Colour(enum.IntEnum):
    RED = 3


class Sly(list):
    def __iter__(self):
        return iter([42])

    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.namedtuple("P", "x y")(1, 2), (1, 2)),
        (Colour.RED, 3),
        (Sly([7]), [7]),
        (type("Text", (str,), {"__str__": lambda self: "x"})("y"), "y"),
    ],
)
def test_subclass_travels_as_the_builtin_value_it_is(value, plain):
    came = decode(encode(value))
    assert type(came) is type(plain)
    assert came == plain


def test_iterator_arrives_as_one():
    came = decode(encode(i * i for i in range(3)))
    assert list(came) == [0, 1, 4]
    assert list(came) == []
    assert [
        list(decode(encode(i))) for i in (map(str, [1]), iter([2]), zip([3], [4], strict=True))
    ] == [
        ["1"],
        [2],
        [(3, 4)],
    ]


def test_numbers_of_numpy_arrive_as_builtin_ones():
    numpy = pytest.importorskip("numpy")
    came = decode(encode([numpy.int64(3), numpy.float32(0.5), numpy.bool_(True)]))
    assert shape(came) == shape([3, 0.5, True])


@pytest.mark.parametrize("value", [object(), len, ValueError(), [{"a": object()}], type])
def test_other_objects_are_refused_by_name(value):
    with pytest.raises(ValueTransferError, match="object of type"):
        encode(value)


def test_size_and_nesting_are_bounded():
    with pytest.raises(ValueTransferError, match="longer than 16 MiB"):
        encode(bytes(17 << 20))
    with pytest.raises(ValueTransferError, match="longer than 16 MiB"):
        encode([[0] * (1 << 20)] * 3)
    endless = []
    endless.append(endless)
    with pytest.raises(ValueTransferError, match="nested"):
        encode(endless)
    with pytest.raises(ValueTransferError, match="nested"):
        decode(b"lm\1\0\0\0" * 100_000 + b"N")
    with pytest.raises(ValueTransferError):
        decode(b"lm\xff\xff\xff\xff" + b"N" * 100)


def test_unhashable_keys_and_impossible_ranges_are_refused():
    key = b"lm\0\0\0\0"
    with pytest.raises(ValueTransferError):
        decode(b"Sm\1\0\0\0" + key)
    number = b"\1\0\0\0\0"
    with pytest.raises(ValueTransferError):
        decode(b"r" + number * 3)


@pytest.mark.parametrize("make", [set, frozenset, dict.fromkeys])
def test_keys_of_equal_hashes_are_bounded(make):
    prime = 2**61 - 1  # hash() of an int is its remainder
    keys = [number * prime for number in range(1, 66)]
    assert len(set(map(hash, keys))) == 1
    assert decode(encode(make(keys[:64]))) == make(keys[:64])
    with pytest.raises(ValueTransferError, match="more than 64 keys have the same hash"):
        decode(encode(make([*keys, *range(10**4)])))


@pytest.mark.parametrize(
    "keys",
    [
        [2**exponent for exponent in range(3900)],
        [2.0**exponent for exponent in range(-1074, 1024)],
        [-1, -2, *range(10**5)],
        [(row, column) for row in range(100) for column in range(100)],
        [*map(str, range(10**4)), *map(float, range(10**4))],
    ],
)
def test_honest_keys_differ_in_their_hashes(keys):
    assert decode(encode(set(keys))) == set(keys)


@pytest.mark.parametrize("value", [iter([1]), [iter([1])], {1: (iter([]),)}])
def test_iterators_are_refused_where_they_are_no_use(value):
    with pytest.raises(ValueTransferError, match="iterator"):
        decode(encode(value), iterators=False)


def test_more_bytes_than_can_be_encoded_are_refused():
    size = values.MAX_BYTES - 4
    with pytest.raises(ValueTransferError, match="longer than 16 MiB"):
        decode(b"b" + struct.pack("<I", size) + bytes(size))


def test_connection_ends_with_a_message():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        exchange.send(ours.fileno(), 7, b"abc")
        exchange.send_end(ours.fileno())
        assert exchange.receive(theirs.fileno()) == (7, b"abc")
        assert exchange.receive(theirs.fileno()) is None
        theirs.close()
        exchange.send_end(ours.fileno())


def test_messages_keep_their_numbers_and_long_ones_are_refused():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        exchange.send(ours.fileno(), 7, b"abc")
        assert exchange.receive(theirs.fileno()) == (7, b"abc")
        ours.sendall(struct.pack("<QI", 1, values.MAX_BYTES + 1))
        with pytest.raises(ValueTransferError, match="too long"):
            exchange.receive(theirs.fileno())
        ours.sendall(b"half")
        ours.shutdown(socket.SHUT_RDWR)
        assert exchange.receive(theirs.fileno()) is None


def test_result_stands_behind_what_was_printed(capfd):
    os.write(1, b"printed")
    exchange.write_result(b"value")
    stdout = capfd.readouterr().out.encode("utf-8", "surrogateescape")
    assert exchange.split_result(stdout) == (b"printed", b"value")
    assert exchange.split_result(b"printed") == (b"printed", None)
    assert exchange.split_result(stdout + b"more")[1] is None


@pytest.mark.parametrize(
    ("returned", "expected", "equal", "apps"),
    [
        (3, 3, True, True),
        (3, [3], False, True),
        ([3], [3], True, True),
        ([3], [[3]], False, True),
        ([3], [3, 4], False, False),
        (3, [3, 4], False, False),
        ((1, (2, 3)), [1, [2, 3]], True, True),
        ({"a": (1,)}, {"a": [1]}, True, True),
        ({1: 2}, {"1": 2}, False, True),
        (0.1 + 0.2, 0.3, False, True),
        (1e20 * (1 + 1e-12), 1e20, False, True),
        (0.3001, 0.3, False, False),
        (2.0, 2, True, True),
        (True, 1, True, True),
        ("3", 3, False, False),
        ({1, 2}, [1, 2], False, False),
        (None, None, True, True),
        (math.nan, 1.0, False, False),
        ([], [], True, True),
        ([[]], [], False, False),
    ],
)
def test_rules(returned, expected, equal, apps):
    assert RULES["equal"](returned, expected) is equal
    assert RULES["apps"](returned, expected) is apps


@pytest.mark.parametrize("rule", RULES.values())
def test_rules_compare_integers_beyond_all_floats(rule):
    long = 10**5000
    assert rule(long, long)
    assert not rule(long, long + 1)
    assert not rule(long, 1.5)


def test_values_module_knows_how_deep_it_goes():
    nested = 0
    for _ in range(values.MAX_DEPTH):
        nested = [nested]
    assert decode(encode(nested)) == nested
    with pytest.raises(ValueTransferError):
        encode([nested])

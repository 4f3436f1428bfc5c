"""Reading the fields of one dataset row, with errors that name file, row and field."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from codefeedback_env.errors import DatasetError

_VERBS = ("is", "has", "holds", "cannot", "defines")
"""First words of messages whose subject is the field itself."""

_LARGEST_INTEGER = 2**64
"""Of limits, ids and the like; the numbers in tests are text or JSON and may be longer."""


class Fields:
    """One row of a dataset, read field by field and checked on the way.

    A field that is null counts as absent.
    """

    def __init__(self, row: Mapping[str, Any], place: str) -> None:
        """The fields of ``row``; ``place`` names its file and number in errors."""
        self._row = row
        self._place = place

    def error(self, field: str, message: str) -> DatasetError:
        """An error about one field, to be raised by the caller."""
        return DatasetError(f"{self._place}, {about_field(field, message)}")

    def has(self, field: str) -> bool:
        """Whether the field is there and not null."""
        return self._row.get(field) is not None

    def raw(self, field: str) -> Any:
        """The value as it is stored, None where the field is absent."""
        return self._row.get(field)

    def required_text(self, field: str) -> str:
        """A string that must be there and not be blank."""
        text = self.text(field)
        if text is None:
            missing = "is null" if field in self._row else "is missing"
            raise self.error(field, f"{missing}; it must be a string.")
        if not text.strip():
            raise self.error(field, "is blank.")
        return text

    def text(self, field: str) -> str | None:
        """A string, None where the field is absent."""
        text: str | None = self._of_type(field, str, "a string")
        return text

    def flag(self, field: str) -> bool:
        """True or False; False where the field is absent."""
        return bool(self._of_type(field, bool, "true or false"))

    def integer(self, field: str) -> int | None:
        """A whole number, None where the field is absent."""
        number = self.number(field)
        if number is not None and number != int(number):
            raise self.error(field, f"is {number}; it must be a whole number.")
        return None if number is None else int(number)

    def number(self, field: str) -> float | None:
        """A finite number, None where the field is absent."""
        return self._checked_number(field, self._row.get(field))

    def seconds(self, field: str) -> float | None:
        """A duration: a number of seconds, or an object with ``seconds`` and ``nanos``.

        None where it is absent or zero.
        """
        value = self._row.get(field)
        if isinstance(value, Mapping):
            whole = self._checked_number(f"{field}.seconds", value.get("seconds")) or 0
            nanos = self._checked_number(f"{field}.nanos", value.get("nanos")) or 0
            total: float = whole + nanos / 1e9
        else:
            total = self.number(field) or 0.0
        if total < 0:
            raise self.error(field, f"is {total} seconds; it must not be negative.")
        return float(total) or None

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of strings, empty where the field is absent."""
        values = self._row.get(field)
        if values is None:
            return ()
        if not _is_list(values):
            raise self.error(field, f"is {_shown(values)}; it must be a list of strings.")
        for entry, value in enumerate(values, 1):
            if not isinstance(value, str):
                raise self.error(field, f"entry {entry} is {_shown(value)}, not a string.")
        return tuple(values)

    def count(self, field: str, key: str) -> int:
        """How many records ``records`` would give, from the one key only."""
        values = self._row.get(field)
        if isinstance(values, Mapping) and key in values:
            values = values[key]
        if values is None and field in self._row:
            return 0
        if not _is_list(values):
            raise self._no_records(field, key)
        return len(values)

    def records(
        self, field: str, required: Mapping[str, type], optional: Mapping[str, type] | None = None
    ) -> list[tuple[Any, ...]]:
        """The records of a field that holds several, in either of two shapes.

        Both ``{"input": ["1"], "output": ["2"]}`` (parallel lists) and
        ``[{"input": "1", "output": "2"}]`` (a list of objects) are taken.

        Args:
            field: must be there; null counts as empty.
            required: keys with the type of their values.
            optional: keys that may be absent, or hold None.

        Returns:
            One tuple for each record: the values in the order of the keys given.
        """
        values = self._row.get(field)
        optional = optional or {}
        types = {**required, **optional}
        if values is None and field in self._row:
            return []
        if isinstance(values, Mapping):
            records = self._parallel(field, values, required, optional)
        elif _is_list(values):
            records = []
            for number, record in enumerate(values, 1):
                if not isinstance(record, Mapping):
                    raise self.error(field, f"entry {number} is {_shown(record)}, not an object.")
                records.append(tuple(record.get(key) for key in types))
        else:
            raise self._no_records(field, *required)
        for number, values_of_one in enumerate(records, 1):
            for (key, kind), value in zip(types.items(), values_of_one, strict=True):
                if not (_is_a(value, kind) or (value is None and key in optional)):
                    raise self.error(
                        field, f"{key!r} of entry {number} is {_shown(value)}, not {kind.__name__}."
                    )
        return records

    def _parallel(
        self,
        field: str,
        values: Mapping[str, Any],
        required: Mapping[str, type],
        optional: Mapping[str, type],
    ) -> list[tuple[Any, ...]]:
        if all(key in values and values[key] is None for key in required):
            return []  # how some writers store a null
        lists: dict[str, Sequence[Any] | None] = {}
        for key in (*required, *optional):
            lists[key] = values.get(key)
            if lists[key] is None and key in optional:
                continue
            if not _is_list(lists[key]):
                raise self.error(field, f"{key!r} is {_shown(lists[key])}; it must be a list.")
        lengths = {key: len(values) for key, values in lists.items() if values is not None}
        if len(set(lengths.values())) > 1:
            raise self.error(field, f"its lists differ in length: {lengths}.")
        num_records = max(lengths.values(), default=0)
        return list(
            zip(
                *(v if v is not None else [None] * num_records for v in lists.values()), strict=True
            )
        )

    def _no_records(self, field: str, *keys: str) -> DatasetError:
        if field not in self._row:
            return self.error(field, "is missing.")
        return self.error(
            field,
            f"is {_shown(self._row[field])}; it must be an object of lists "
            f"{', '.join(keys)}, or a list of objects with these keys.",
        )

    def _of_type(self, field: str, kind: type, kind_in_words: str) -> Any:
        value = self._row.get(field)
        if value is not None and not _is_a(value, kind):
            raise self.error(field, f"is {_shown(value)}; it must be {kind_in_words}.")
        return value

    def _checked_number(self, field: str, value: Any) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(field, f"is {_shown(value)}; it must be a number.")
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            raise self.error(field, f"is {_shown(value)}; it must have at most 64 bits.")
        if value - value != 0:  # infinite or not a number
            raise self.error(field, f"is {value}; it must be finite.")
        return value


def about_field(field: str, message: str) -> str:
    """One sentence where the message goes on from the field's name, else both with a colon."""
    colon = "" if message.split(maxsplit=1)[0] in _VERBS else ":"
    return f"field {field!r}{colon} {message}"


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4,300 digits, or something that holds one
        return f"a {type(value).__name__} with an integer of thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]}... ({type(value).__name__})"

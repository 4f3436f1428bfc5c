"""The columns of HumanEval+ and MBPP+ that hold lists of arguments."""

from typing import Any

from codefeedback_env.datasets.fields import Fields
from codefeedback_env.datasets.json_columns import json_column


def plus_inputs(fields: Fields, field: str) -> list[list[Any]]:
    """The lists of arguments in a column, as lists or as JSON; empty where it is absent.

    Raises:
        DatasetError: it holds something else.
    """
    inputs = json_column(fields, field)
    if inputs is None or inputs == {}:  # an empty object is how some tasks write no inputs
        return []
    if not isinstance(inputs, list):
        raise fields.error(field, "is no list of lists of arguments.")
    for number, arguments in enumerate(inputs, 1):
        if not isinstance(arguments, list):
            raise fields.error(
                field, f"entry {number} is a {type(arguments).__name__}; it must be a list."
            )
    return inputs

"""Checkers of the problems that ship with the package."""

from codefeedback_env.problem_checkers.checker import Checker, integers


def _pair_with_sum(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Two different 1-based positions whose values have the wanted sum, or -1."""
    num_values, wanted, *values = map(int, stdin.split())
    answer = integers(output)
    if expected.split() == [b"-1"] or len(answer) != 2:
        return answer == [-1] and expected.split() == [b"-1"]
    first, second = answer
    if first == second or not (1 <= first <= num_values and 1 <= second <= num_values):
        return False
    return values[first - 1] + values[second - 1] == wanted


def _half_of_volumes(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Some of the numbers 1 to n, preceded by their count, with half of the total sum."""
    num_volumes = int(stdin)
    if expected.split() == [b"IMPOSSIBLE"] or output.split() == [b"IMPOSSIBLE"]:
        return output.split() == expected.split()
    count, *volumes = integers(output)
    return (
        count == len(volumes) == len(set(volumes))
        and all(1 <= volume <= num_volumes for volume in volumes)
        and 4 * sum(volumes) == num_volumes * (num_volumes + 1)
    )


def _topological_order(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """The numbers 1 to n, ``a`` before ``b`` for each pair of the input, or IMPOSSIBLE."""
    if expected.split() == [b"IMPOSSIBLE"] or output.split() == [b"IMPOSSIBLE"]:
        return output.split() == expected.split()
    num_steps, _, *ends = map(int, stdin.split())
    order = integers(output)
    position = {step: i for i, step in enumerate(order)}
    if len(order) != num_steps or position.keys() != set(range(1, num_steps + 1)):
        return False
    return all(position[a] < position[b] for a, b in zip(ends[::2], ends[1::2], strict=True))


def _smoke_escape(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """The least number of moves and a way of that length out of the grid, or TRAPPED."""
    if expected.split() == [b"TRAPPED"] or output.split() == [b"TRAPPED"]:
        return output.split() == expected.split()
    moves = output.split()[-1]
    num_moves = int(expected.split()[0])
    if len(output.split()) != 2 or integers(output.split()[0]) != [num_moves]:
        return False
    if len(moves) != num_moves or not set(moves) <= set(b"UDLR"):
        return False
    rows = stdin.split()[2:]
    width = len(rows[0]) + 1
    # a wall after each row and a row of walls keep neighbours, and index -1, inside the string
    flat = b"".join(row + b"#" for row in rows) + b"#" * width
    smoke = {cell: 0 for cell, mark in enumerate(flat) if mark == ord("F")}
    front = list(smoke)
    while front:
        reached = []
        for cell in front:
            for other in (cell - width, cell + width, cell - 1, cell + 1):
                if flat[other] != ord("#") and other not in smoke:
                    smoke[other] = smoke[cell] + 1
                    reached.append(other)
        front = reached
    step = {ord("U"): -width, ord("D"): width, ord("L"): -1, ord("R"): 1}
    cell = flat.index(b"S")
    for minute, move in enumerate(moves, 1):
        cell += step[move]
        if flat[cell] == ord("#") or minute >= smoke.get(cell, num_moves + 1):
            return False
    return flat[cell] == ord("E")


def _keypad_tape(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Digits below ``k`` with every word of length ``n`` among them exactly once."""
    num_keys, length = map(int, stdin.split())
    (tape,) = output.split()
    num_codes = num_keys**length
    if len(tape) != num_codes + length - 1:
        return False
    seen = bytearray(num_codes)
    code = 0
    for i, character in enumerate(tape, 1):
        digit = character - ord("0")
        if not 0 <= digit < num_keys:
            return False
        code = (code * num_keys + digit) % num_codes
        if i >= length:
            seen[code] = 1
    return all(seen)


def _cast(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """The largest number of pairs (actor, role) that the input allows, nobody and no role twice."""
    num_actors, num_roles = map(int, stdin.split(None, 2)[:2])
    rows = [line.split()[1:] for line in stdin.splitlines()[1 : num_actors + 1]]
    plays = [set(map(int, row)) for row in rows]
    count, *answer = integers(output)
    if count != int(expected.split()[0]) or len(answer) != 2 * count:
        return False
    actors, roles = answer[::2], answer[1::2]
    if len(set(actors)) != count or len(set(roles)) != count:
        return False
    return all(
        1 <= actor <= num_actors and 1 <= role <= num_roles and role in plays[actor - 1]
        for actor, role in zip(actors, roles, strict=True)
    )


def _seating(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """One letter L or R for each guest, so that every line ``a X b Y`` is met at one end."""
    if expected.split() == [b"IMPOSSIBLE"] or output.split() == [b"IMPOSSIBLE"]:
        return output.split() == expected.split()
    num_guests, _, *rules = stdin.split()
    (seats,) = output.split()
    if len(seats) != int(num_guests) or not set(seats) <= set(b"LR"):
        return False
    met = [seats[int(g) - 1] == side[0] for g, side in zip(rules[::2], rules[1::2], strict=True)]
    return all(map(max, met[::2], met[1::2]))


BUNDLED_CHECKERS: dict[str, Checker] = {
    "pair-with-sum": _pair_with_sum,
    "half-of-volumes": _half_of_volumes,
    "topological-order": _topological_order,
    "smoke-escape": _smoke_escape,
    "keypad-tape": _keypad_tape,
    "cast": _cast,
    "seating": _seating,
}

"""Checkers of problems of CodeContests whose statements take any right answer.

Which problem is judged by which of them stands in ``datasets/checker_overlay.toml``.
"""

from collections import Counter
from heapq import heappop, heappush

from codefeedback_env.problem_checkers.checker import Checker, integers, same_refusal

_MOST_BLOCK_OPERATIONS = 1_000_000


def _three_factors(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """For each number NO, or YES and three different factors from 2 on with that product."""
    given, stored = iter(output.lower().split()), iter(expected.lower().split())
    for number in map(int, stdin.split()[1:]):
        word, wanted = next(given, b""), next(stored)
        if word != wanted:
            return False
        if wanted == b"yes":
            for _ in range(3):
                next(stored)
            factors = integers(b" ".join(next(given, b"") for _ in range(3)))
            a, b, c = sorted(factors)
            if not 2 <= a < b < c or a * b * c != number:
                return False
    return next(given, None) is None


def _tree_of_maxima(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """NO, or YES and a tree; cutting each edge leaves parts with the stored pairs of maxima."""
    refused = same_refusal(expected, output, b"NO")
    if refused is not None:
        return refused
    num_nodes, *maxima = map(int, stdin.split())
    word, *rest = output.split()
    ends = integers(b" ".join(rest))
    if word.lower() != b"yes" or len(ends) != 2 * (num_nodes - 1):
        return False
    tree = _parents(num_nodes, ends, root=num_nodes)
    if tree is None:
        return False
    order, above = tree
    largest = list(range(num_nodes + 1))
    for node in reversed(order[1:]):
        largest[above[node]] = max(largest[above[node]], largest[node])
    # the part with the root has the largest node of all
    made = Counter((largest[node], num_nodes) for node in order[1:])
    return made == Counter(
        (min(pair), max(pair)) for pair in zip(maxima[::2], maxima[1::2], strict=True)
    )


def _prefix_products(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """NO, or YES and an order of 1 to n whose prefix products differ modulo n."""
    refused = same_refusal(expected, output, b"NO")
    if refused is not None:
        return refused
    n = int(stdin)
    word, *rest = output.split()
    order = integers(b" ".join(rest))
    if word.lower() != b"yes" or len(order) != n or set(order) != set(range(1, n + 1)):
        return False
    product, seen = 1, set()
    for factor in order:
        product = product * factor % n
        seen.add(product)
    return len(seen) == n


def _erased_weights(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """NO, or YES and the edges with positive weights that make the distance the wanted one."""
    refused = same_refusal(expected, output, b"NO")
    if refused is not None:
        return refused
    num_nodes, num_edges, wanted, start, end, *edges = map(int, stdin.split())
    word, *rest = output.split()
    answer = integers(b" ".join(rest))
    if word.lower() != b"yes" or len(answer) != 3 * num_edges:
        return False
    weights = {frozenset(edges[i : i + 2]): edges[i + 2] for i in range(0, 3 * num_edges, 3)}
    neighbours: list[list[tuple[int, int]]] = [[] for _ in range(num_nodes)]
    for i in range(0, 3 * num_edges, 3):
        a, b, weight = answer[i : i + 3]
        stored = weights.pop(frozenset((a, b)), None)
        if stored is None or weight != (stored or weight) or not 1 <= weight <= 10**18:
            return False
        neighbours[a].append((b, weight))
        neighbours[b].append((a, weight))
    return _distance(neighbours, start, end) == wanted


def _asphalt(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Impossible, or at most n cities that together turn every road into an asphalted one."""
    refused = same_refusal(expected, output, b"Impossible")
    if refused is not None:
        return refused
    num_cities, _, *roads = map(int, stdin.split())
    count, *cities = integers(output)
    if count != len(cities) or count > num_cities:
        return False
    if not all(1 <= city <= num_cities for city in cities):
        return False
    visits = Counter(cities)
    return all(
        (visits[a] + visits[b] + asphalted) % 2 == 1
        for a, b, asphalted in zip(roads[::3], roads[1::3], roads[2::3], strict=True)
    )


def _block_towers(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """Building steps that are allowed and end with as many people as the stored ones."""
    people = _people(stdin, output)
    return people is not None and people == _people(stdin, expected)


def _paths_through_one_node(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """No, or Yes and paths with each edge of the tree in exactly one, any two of which meet."""
    refused = same_refusal(expected, output, b"No")
    if refused is not None:
        return refused
    num_nodes, *ends = map(int, stdin.split())
    word, *rest = output.split()
    count, *paths = integers(b" ".join(rest))
    if word.lower() != b"yes" or not 1 <= count < num_nodes or len(paths) != 2 * count:
        return False
    tree = _parents(num_nodes, ends, root=1)
    if tree is None:  # true of some stored inputs, made by changing right ones
        return output.split() == expected.split()
    if not all(1 <= node <= num_nodes for node in paths):
        return False
    order, above = tree
    depth = [0] * (num_nodes + 1)
    for node in order[1:]:
        depth[node] = depth[above[node]] + 1
    used = bytearray(num_nodes + 1)
    num_paths_at = [0] * (num_nodes + 1)
    for a, b in zip(paths[::2], paths[1::2], strict=True):
        if a == b:
            return False
        while a != b:
            if depth[a] < depth[b]:
                a, b = b, a
            if used[a]:
                return False
            used[a] = 1
            num_paths_at[a] += 1
            a = above[a]
        num_paths_at[a] += 1
    # paths in a tree any two of which meet all go through one node
    return sum(used) == num_nodes - 1 and max(num_paths_at) == count


def _present_moves(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """As many moves as the stored ones, to boxes of equal size but for one present."""
    num_boxes, _, *numbers = map(int, stdin.split())
    count, *moves = integers(output)
    if count != int(expected.split()[0]) or len(moves) != 3 * count:
        return False
    boxes: list[Counter[int]] = [Counter()]
    position = 0
    for _ in range(num_boxes):
        size = numbers[position]
        boxes.append(Counter(numbers[position + 1 : position + 1 + size]))
        position += 1 + size
    sizes = [box.total() for box in boxes]
    for i in range(0, 3 * count, 3):
        source, target, kind = moves[i : i + 3]
        if not (1 <= source <= num_boxes and 1 <= target <= num_boxes and boxes[source][kind] > 0):
            return False
        boxes[source][kind] -= 1
        boxes[target][kind] += 1
        sizes[source] -= 1
        sizes[target] += 1
    no_pairs = all(max(box.values(), default=0) <= 1 for box in boxes)
    return no_pairs and max(sizes[1:]) - min(sizes[1:]) <= 1


def _taken_from_ends(stdin: bytes, expected: bytes, output: bytes) -> bool:
    """The stored length, and letters L and R that take so many rising numbers from the ends."""
    _, *values = map(int, stdin.split())
    given, letters = output.split()
    length = int(expected.split()[0])
    if integers(given) != [length] or len(letters) != length or not set(letters) <= set(b"LR"):
        return False
    left, right, last = 0, len(values) - 1, -1
    for letter in letters:
        if letter == ord("L"):
            value, left = values[left], left + 1
        else:
            value, right = values[right], right - 1
        if value <= last:
            return False
        last = value
    return True


def _parents(num_nodes: int, ends: list[int], *, root: int) -> tuple[list[int], list[int]] | None:
    """The nodes 1 to n from the root on and the parent of each; None if it is not a tree."""
    neighbours: list[list[int]] = [[] for _ in range(num_nodes + 1)]
    for a, b in zip(ends[::2], ends[1::2], strict=True):
        if not (1 <= a <= num_nodes and 1 <= b <= num_nodes):
            return None
        neighbours[a].append(b)
        neighbours[b].append(a)
    above = [0] * (num_nodes + 1)
    order, seen = [root], bytearray(num_nodes + 1)
    seen[root] = 1
    for node in order:
        for other in neighbours[node]:
            if not seen[other]:
                seen[other] = 1
                above[other] = node
                order.append(other)
    is_tree = len(ends) == 2 * (num_nodes - 1) and len(order) == num_nodes
    return (order, above) if is_tree else None


def _distance(neighbours: list[list[tuple[int, int]]], start: int, end: int) -> int | None:
    queue, done = [(0, start)], set()
    while queue:
        distance, node = heappop(queue)
        if node == end:
            return distance
        if node not in done:
            done.add(node)
            for other, weight in neighbours[node]:
                if other not in done:
                    heappush(queue, (distance + weight, other))
    return None


def _people(stdin: bytes, steps: bytes) -> int | None:
    """How many people live in the city that the steps build; None if a step is not allowed."""
    _, width, *rows = stdin.split()
    num_columns = int(width)
    free, blue, red = b".BR"
    # a hole after each row and around the grid keeps neighbours inside the string
    stride = num_columns + 1
    hole_row = b"#" * (stride + 1)
    city = bytearray(hole_row + b"#".join(rows) + hole_row)
    count, *tokens = steps.split()
    if len(tokens) != 3 * int(count) or not 0 <= int(count) <= _MOST_BLOCK_OPERATIONS:
        return None
    places = integers(b" ".join(tokens[1::3] + tokens[2::3]))
    for kind, x, y in zip(tokens[::3], places[: int(count)], places[int(count) :], strict=True):
        if not (1 <= x <= len(rows) and 1 <= y <= num_columns):
            return None
        cell = x * stride + y
        if kind == b"D" and city[cell] in (blue, red):
            city[cell] = free
        elif kind in (b"B", b"R") and city[cell] == free:
            around = (city[cell - 1], city[cell + 1], city[cell - stride], city[cell + stride])
            if kind == b"R" and blue not in around:
                return None
            city[cell] = kind[0]
        else:
            return None
    return 100 * city.count(blue) + 200 * city.count(red)


CODE_CONTESTS_CHECKERS: dict[str, Checker] = {
    "three-factors": _three_factors,
    "tree-of-maxima": _tree_of_maxima,
    "prefix-products": _prefix_products,
    "erased-weights": _erased_weights,
    "asphalt": _asphalt,
    "block-towers": _block_towers,
    "paths-through-one-node": _paths_through_one_node,
    "present-moves": _present_moves,
    "taken-from-ends": _taken_from_ends,
}

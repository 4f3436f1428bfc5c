"""Two breadth-first searches on a grid: leave before the smoke arrives."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict

_STATEMENT = """\
Smoke is filling the cellar of the town archive, and the archivist has to get out. The cellar is a
grid of cells. Some cells are walls, the others are floor. At minute 0 the archivist stands on the
cell marked S, and exactly the cells marked F are full of smoke. During each minute the smoke
spreads from every smoky cell to all cells that share a side with it and are not walls; smoke
never leaves a cell. So the smoke reaches a cell at minute d, where d is the least number of steps
from that cell to a cell marked F, walking over cells that are not walls (d is infinite if there
is no such walk).

In each minute the archivist moves to a cell that shares a side with his own and is not a wall. He
never waits. He may stand on a cell at minute t only if the smoke reaches that cell later than
minute t, or never. This also holds for exits. As soon as he stands on a cell marked E he is
outside. Nobody can leave the grid in any other way. Find a shortest way out.

Input

The first line has two integers r and c (1 <= r, c <= 120, r * c >= 2), the numbers of rows and
columns. Each of the next r lines has c characters: # is a wall, . is floor, S is the start, E is
an exit and F is floor with smoke. There is exactly one S; there may be any number of E and F, also
none. S, E and F cells are not walls.

Output

If the archivist cannot get out, print the single word TRAPPED. Otherwise print two lines: the
least number of moves, and a string of that many letters, the moves in order: U is one row up (to
the previous row of the input), D down, L one column left and R right. If several shortest ways
exist, print any one of them.
"""


def _text(rows: list[str]) -> str:
    return "\n".join([f"{len(rows)} {len(rows[0])}", *rows]) + "\n"


def _random_cellar(
    rng: random.Random, num_rows: int, num_columns: int, wall: float, fire: float, num_exits: int
) -> str:
    grid = []
    for _ in range(num_rows):
        row = []
        for _ in range(num_columns):
            x = rng.random()
            row.append("#" if x < wall else "F" if x < wall + fire else ".")
        grid.append(row)
    for _ in range(num_exits):
        grid[rng.randrange(num_rows)][rng.randrange(num_columns)] = "E"
    grid[rng.randrange(num_rows)][rng.randrange(num_columns)] = "S"
    return _text(["".join(row) for row in grid])


def _corridor(num_rows: int, num_columns: int, lead: int) -> str:
    """One winding corridor with the smoke ``lead`` cells behind the start."""
    grid = [["#"] * num_columns for _ in range(num_rows)]
    cells = []
    for row in range(num_rows):
        if row % 2:
            cells.append((row, num_columns - 1 if row % 4 == 1 else 0))
        else:
            columns = range(num_columns)
            cells += [(row, column) for column in (columns if row % 4 == 0 else columns[::-1])]
    for row, column in cells:
        grid[row][column] = "."
    for (row, column), mark in zip((cells[0], cells[lead], cells[-1]), "FSE", strict=True):
        grid[row][column] = mark
    return _text(["".join(cells_of_row) for cells_of_row in grid])


def _hidden_inputs(rng: random.Random) -> Iterator[str]:
    yield _text(["###", "SE#", "###"])
    yield _text(["#####", "#S#E#", "#####"])
    yield _text(["######", "#S..E#", "######"])
    yield _text(["S.E"])
    yield _text(["E", ".", "S", ".", ".", "E"])
    yield _text(["S..EF"])
    yield _text(["S.E.F"])
    yield _text(["F.S", "...", "..E"])
    yield _text(["F.SE", "...."])
    yield _text(["S..F", "....", "E...", "#..."])
    for size in (3, 4, 4, 5, 5, 6):
        yield _random_cellar(rng, size, size + 1, 0.2, 0.08, 2)
    for size in (8, 10, 12, 14):
        yield _random_cellar(rng, size, 20 - size, 0.25, 0.01, 1)
        yield _random_cellar(rng, size, size, 0.3, 0.02, 3)
    yield _corridor(9, 9, 1)
    yield _random_cellar(rng, 40, 60, 0.25, 0.0005, 2)
    yield _random_cellar(rng, 120, 120, 0.02, 0.0, 1)
    yield _corridor(119, 120, 2)
    yield _text(["." * 119 + "E", *["." * 120] * 118, "S" + "." * 119])
    yield _text(["S" + "." * 119, *["." * 120] * 118, "." * 118 + "FE"])


PROBLEM = AuthoredProblem(
    id="smoke-in-the-archive",
    level="hard",
    tags=("grid", "breadth-first search"),
    statement=_STATEMENT,
    public_inputs=(
        "5 7\n#######\n#S...E#\n#.###.#\n#...F.#\n#######\n",
        "5 7\n#######\n#S....#\n#.###.#\n#....E#\n#######\n",
        "4 6\n######\n#S..F#\n#..#E#\n######\n",
    ),
    hidden_inputs=_hidden_inputs,
    checker="smoke-escape",
    reference=(
        """import sys
from collections import deque

rows, columns = map(int, sys.stdin.readline().split())
# one border of walls makes every neighbour index valid
width = columns + 1
flat = "#" * width
for _ in range(rows):
    flat += sys.stdin.readline().strip() + "#"
flat += "#" * width
size = len(flat)
NEVER = size + 1

smoke = [NEVER] * size
queue = deque(i for i in range(size) if flat[i] == "F")
for i in queue:
    smoke[i] = 0
while queue:
    i = queue.popleft()
    for j in (i - width, i + width, i - 1, i + 1):
        if smoke[j] == NEVER and flat[j] != "#":
            smoke[j] = smoke[i] + 1
            queue.append(j)

start = flat.index("S")
minute = [-1] * size
came = [""] * size
minute[start] = 0
queue.append(start)
steps = (("U", -width), ("D", width), ("L", -1), ("R", 1))
while queue:
    i = queue.popleft()
    t = minute[i] + 1
    for name, shift in steps:
        j = i + shift
        if minute[j] < 0 and flat[j] != "#" and t < smoke[j]:
            minute[j] = t
            came[j] = name
            if flat[j] == "E":
                back = dict(steps)
                path = []
                while j != start:
                    path.append(came[j])
                    j -= back[came[j]]
                print(len(path))
                print("".join(reversed(path)))
                sys.exit()
            queue.append(j)
print("TRAPPED")
""",
        """def main():
    r, c = map(int, input().split())
    grid = [input() for _ in range(r)]

    def around(cell):
        y, x = cell
        if y > 0:
            yield "U", (y - 1, x)
        if x > 0:
            yield "L", (y, x - 1)
        if y + 1 < r:
            yield "D", (y + 1, x)
        if x + 1 < c:
            yield "R", (y, x + 1)

    smoky = {(y, x) for y in range(r) for x in range(c) if grid[y][x] == "F"}
    front = list(smoky)
    people = {(y, x): ("", None) for y in range(r) for x in range(c) if grid[y][x] == "S"}
    here = list(people)
    while here:
        wider = []
        for cell in front:
            for _, other in around(cell):
                if other not in smoky and grid[other[0]][other[1]] != "#":
                    smoky.add(other)
                    wider.append(other)
        front = wider
        moved = []
        for cell in here:
            for letter, other in around(cell):
                if other in people or other in smoky or grid[other[0]][other[1]] == "#":
                    continue
                people[other] = (letter, cell)
                if grid[other[0]][other[1]] == "E":
                    way = ""
                    while other is not None:
                        letter, other = people[other]
                        way = letter + way
                    print(len(way), way, sep=chr(10))
                    return
                moved.append(other)
        here = moved
    print("TRAPPED")


if __name__ == "__main__":
    main()
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.RUNTIME_ERROR,
            passes_public=True,
            source="""from collections import deque

r, c = map(int, input().split())
g = [input() for _ in range(r)]
MOVES = {"D": (1, 0), "R": (0, 1), "U": (-1, 0), "L": (0, -1)}
smoke = {}
q = deque()
for y in range(r):
    for x in range(c):
        if g[y][x] == "F":
            smoke[y, x] = 0
            q.append((y, x))
        if g[y][x] == "S":
            start = (y, x)
while q:
    y, x = q.popleft()
    for dy, dx in MOVES.values():
        cell = (y + dy, x + dx)
        if g[cell[0]][cell[1]] != "#" and cell not in smoke:
            smoke[cell] = smoke[y, x] + 1
            q.append(cell)
way = {start: ""}
q.append(start)
while q:
    y, x = q.popleft()
    if g[y][x] == "E":
        print(len(way[y, x]))
        print(way[y, x])
        break
    for name, (dy, dx) in MOVES.items():
        cell = (y + dy, x + dx)
        if g[cell[0]][cell[1]] == "#" or cell in way:
            continue
        if len(way[y, x]) + 1 < smoke.get(cell, 10**9):
            way[cell] = way[y, x] + name
            q.append(cell)
else:
    print("TRAPPED")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""import sys
from collections import deque

lines = sys.stdin.read().split()
r, c = int(lines[0]), int(lines[1])
g = lines[2:]


def bfs(sources, limit):
    dist = dict.fromkeys(sources, 0)
    via = {}
    q = deque(sources)
    while q:
        y, x = q.popleft()
        for name, ny, nx in (("U", y - 1, x), ("D", y + 1, x), ("L", y, x - 1), ("R", y, x + 1)):
            if not (0 <= ny < r and 0 <= nx < c) or g[ny][nx] == "#" or (ny, nx) in dist:
                continue
            if dist[y, x] + 1 > limit.get((ny, nx), 10**9):  # the smoke was there before
                continue
            dist[ny, nx] = dist[y, x] + 1
            via[ny, nx] = (name, y, x)
            q.append((ny, nx))
    return dist, via


cells = [(y, x) for y in range(r) for x in range(c)]
smoke, _ = bfs([p for p in cells if g[p[0]][p[1]] == "F"], {})
dist, via = bfs([p for p in cells if g[p[0]][p[1]] == "S"], smoke)
exits = [p for p in cells if g[p[0]][p[1]] == "E" and p in dist]
if not exits:
    print("TRAPPED")
else:
    p = min(exits, key=dist.get)
    path = []
    while p in via:
        name, *q = via[p]
        path.append(name)
        p = tuple(q)
    print(len(path))
    print(*path[::-1], sep="")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""r, c = map(int, input().split())
grid = [input() for _ in range(r)]
STEPS = [("U", -1, 0), ("D", 1, 0), ("L", 0, -1), ("R", 0, 1)]
fires = [(y, x) for y in range(r) for x in range(c) if grid[y][x] == "F"]


def free(y, x):
    return 0 <= y < r and 0 <= x < c and grid[y][x] != "#"


def smoke_after(minutes):
    covered = set(fires)
    edge = fires
    for _ in range(minutes):
        new = []
        for y, x in edge:
            for _, dy, dx in STEPS:
                cell = (y + dy, x + dx)
                if free(*cell) and cell not in covered:
                    covered.add(cell)
                    new.append(cell)
        edge = new
    return covered


layer = {}
for y in range(r):
    if "S" in grid[y]:
        layer[y, grid[y].index("S")] = ""
seen = set(layer)
minute = 0
while layer:
    minute += 1
    smoke = smoke_after(minute)
    following = {}
    for (y, x), way in layer.items():
        for name, dy, dx in STEPS:
            cell = (y + dy, x + dx)
            if free(*cell) and cell not in smoke and cell not in seen:
                seen.add(cell)
                following[cell] = way + name
    for (y, x), way in following.items():
        if grid[y][x] == "E":
            print(minute)
            print(way)
            exit()
    layer = following
print("TRAPPED")
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""from collections import deque

r, c = map(int, input().split())
rows = [input() for _ in range(r)]
for y, row in enumerate(rows):
    if "S" in row:
        start = (y, row.index("S"))
best = {start: ""}
todo = deque([start])
while todo:
    y, x = todo.popleft()
    if rows[y][x] == "E":
        print(len(best[y, x]))
        print(best[y, x])
        exit()
    for letter, a, b in (("U", y - 1, x), ("R", y, x + 1), ("D", y + 1, x), ("L", y, x - 1)):
        if 0 <= a < r and 0 <= b < c and rows[a][b] in ".E" and (a, b) not in best:
            best[a, b] = best[y, x] + letter
            todo.append((a, b))
print("TRAPPED")
""",
        ),
    ),
    time_limit_s=2.0,
    memory_limit_mib=256,
)

"""Cast as many puppet players as possible: bipartite matching, any largest cast is right."""

import random
from collections.abc import Iterator

from codefeedback_env.datasets.bundled.authoring import AuthoredProblem, AuthoredWrongProgram
from codefeedback_env.verdicts import Verdict


def hidden_inputs(rng: random.Random) -> Iterator[str]:
    """Players who know nothing, chains that need exchanges, sparse and dense casts."""
    yield _cast(1, [[]])
    yield _cast(1, [[1]])
    yield _cast(3, [[], [], []])
    yield _cast(2, [[1], [1], [1, 2]])
    yield _cast(3, [[1, 2], [1, 3], [1]])
    yield _cast(3, [[1, 2, 3], [1, 2], [1]])
    yield _cast(4, [[1, 2], [2, 3], [3, 4], [1]])
    for num_players, num_roles, known in (
        *((3, 3, 2), (4, 4, 2), (5, 4, 2), (4, 6, 3), (6, 6, 2), (8, 8, 2), (10, 8, 3)),
        *((15, 15, 2), (30, 25, 2), (60, 60, 3), (100, 100, 2), (100, 100, 3), (100, 90, 10)),
    ):
        rows = [
            rng.sample(range(1, num_roles + 1), rng.randint(min(1, known - 2), known))
            for _ in range(num_players)
        ]
        yield _cast(num_roles, rows)
    yield _cast(100, [[i, i + 1] for i in range(1, 100)] + [[1]])
    yield _cast(60, [list(range(1, 61 - i)) for i in range(60)])


def _cast(num_roles: int, rows: list[list[int]]) -> str:
    lines = [[len(rows), num_roles], *([len(row), *row] for row in rows)]
    return "".join(" ".join(map(str, line)) + "\n" for line in lines)


PROBLEM = AuthoredProblem(
    id="puppet-roles",
    level="harder",
    tags=("graphs", "matchings", "flows"),
    statement="""\
A puppet theatre wants to show a play with m roles and has n players. Every player knows some of \
the roles by heart. In the show a player can play at most one role, and a role is played by at \
most one player, who must know it. A role that nobody plays is left out.

Find a cast in which as many roles as possible are played.

Input

The first line contains the integers n and m (1 <= n, m <= 100). Each of the next n lines \
describes a player: the number of roles that he knows (0 to m), and then these roles, different \
integers between 1 and m.

Output

Print the number k of roles that are played. Then print k lines, each with the number of a player \
and the role that he plays. If there are several largest casts, print any of them, in any order.
""",
    public_inputs=("3 3\n2 1 2\n1 2\n2 2 3\n", "3 2\n1 2\n1 2\n1 1\n"),
    hidden_inputs=hidden_inputs,
    checker="cast",
    reference=(
        """\
n, m = map(int, input().split())
knows = [list(map(int, input().split()))[1:] for _ in range(n)]
player_of = {}


def place(player, seen):
    for role in knows[player]:
        if role not in seen:
            seen.add(role)
            if role not in player_of or place(player_of[role], seen):
                player_of[role] = player
                return True
    return False


for player in range(n):
    place(player, set())
print(len(player_of))
for role, player in player_of.items():
    print(player + 1, role)
""",
        """\
from collections import deque

n, m = map(int, input().split())
knows = [list(map(int, input().split()))[1:] for _ in range(n)]
role_of = [0] * n
player_of = [None] * (m + 1)
for start in range(n):
    came = {start: None}
    queue = deque([start])
    while queue:
        player = queue.popleft()
        free = [r for r in knows[player] if player_of[r] is None]
        if free:
            role = free[0]
            while player is not None:
                player_of[role] = player
                role_of[player], role = role, role_of[player]
                player = came[player]
            break
        for r in knows[player]:
            if player_of[r] not in came:
                came[player_of[r]] = player
                queue.append(player_of[r])
print(n - role_of.count(0))
for player, role in enumerate(role_of, 1):
    if role:
        print(player, role)
""",
    ),
    wrong=(
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            passes_public=True,
            source="""\
# whoever knows the fewest roles chooses first
n, m = map(int, input().split())
players = []
for i in range(1, n + 1):
    players.append((i, list(map(int, input().split()))[1:]))
players.sort(key=lambda p: len(p[1]))
taken = set()
cast = []
for i, roles in players:
    for role in sorted(roles):
        if role not in taken:
            taken.add(role)
            cast.append((i, role))
            break
print(len(cast))
for pair in cast:
    print(*pair)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.TIME_LIMIT,
            passes_public=True,
            source="""\
n, m = map(int, input().split())
knows = [list(map(int, input().split()))[1:] for _ in range(n)]
best = []


def go(i, taken, cast):
    global best
    if len(cast) > len(best):
        best = cast
    if i == n or len(cast) + n - i <= len(best):
        return
    for role in knows[i]:
        if role not in taken:
            go(i + 1, taken | {role}, cast + [(i + 1, role)])
    go(i + 1, taken, cast)


go(0, frozenset(), [])
print(len(best))
for pair in best:
    print(*pair)
""",
        ),
        AuthoredWrongProgram(
            verdict=Verdict.WRONG_ANSWER,
            source="""\
n, m = map(int, input().split())
known = set()
for i in range(n):
    known.update(input().split()[1:])
print(min(n, len(known)))
for i, role in enumerate(sorted(known)[:n], 1):
    print(i, role)
""",
        ),
    ),
    time_limit_s=1.0,
)

"""Getting our code into a jail that can read none of our files."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("zygote")
_ONE_TEST = ("wire", "watch", "program", "system_calls", "seccomp", "one_test")
_ZYGOTE = (
    "wire",
    "watch",
    "program",
    "system_calls",
    "seccomp",
    "landlock",
    "privileges",
    "children",
    "leader",
    "rehearsal",
    "holes",
    "mappings",
    "zygote",
)
# They need half a dozen modules of the library, which would double what every fork costs.
_FUNCTIONS = ("values", "exchange", "candidate", "explain", "tester", "functions")
_NEEDED_BY = {  # in the order of their imports
    "one_test": _ONE_TEST,
    "one_function_test": (*_ONE_TEST[:-1], *_FUNCTIONS, _ONE_TEST[-1]),
    "zygote": _ZYGOTE,
    "function_zygote": (*_ZYGOTE[:-1], *_FUNCTIONS, _ZYGOTE[-1]),
}

BOOT = """\
import os, sys, types
fd = int(sys.argv[1])
for name in ("codefeedback_env", "codefeedback_env.sandbox", "codefeedback_env.sandbox.zygote"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = []
for block in os.pread(fd, os.fstat(fd).st_size, 0).decode().split(chr(0)):
    name, _, text = block.partition(chr(10))
    module = types.ModuleType(package.__name__ + "." + name)
    sys.modules[module.__name__] = module
    setattr(package, name, module)
    exec(compile(text, name, "exec"), module.__dict__)
os.close(fd)
module.main(sys.argv[2:])
"""
"""Makes modules of the texts it reads from a descriptor, and runs the last one's main()."""


@cache
def boot_code(purpose: str) -> bytes:
    """What BOOT reads: the texts of the modules for a purpose, the last of which has the main()."""
    texts = ((name, (_FOLDER / f"{name}.py").read_text("utf-8")) for name in _NEEDED_BY[purpose])
    return "\0".join(f"{name}\n{text}" for name, text in texts).encode()


def python_command(python: str) -> list[str]:
    """The interpreter with what every program runs under.

    Not ``-I``: it would ignore PYTHONHASHSEED, and the jail has no other environment anyway.
    """
    return [python, "-s", "-S", "-B", "-X", "utf8", "-c", BOOT]

"""An agent whose skill is known, for the suites; run as a program it is their command line with it.

In an episode with seed s it solves its problem in turn ``SOLVES_IN[s % 5]``; before, and where that
is None, its programs raise.
"""

import sys
import time

from agents.generation.base import Conversation
from agents.generation.scripted import HOPELESS_PROGRAM, SCRIPTED_POLICIES, ScriptedPolicy, as_reply
from benchmarks.__main__ import main

SOLVES_IN = (1, 2, None, 3, 2)


class Skilled(ScriptedPolicy):
    """See the module."""

    seconds_per_reply = 0.0

    def answer(self, conversation: Conversation) -> str:
        time.sleep(self.seconds_per_reply)
        if SOLVES_IN[conversation.seed % 5] == conversation.turn + 1:
            return self._reference(conversation.problem_id, 0)
        return as_reply(HOPELESS_PROGRAM)


if __name__ == "__main__":
    Skilled.seconds_per_reply = 0.02
    SCRIPTED_POLICIES["skilled"] = Skilled
    sys.exit(main())

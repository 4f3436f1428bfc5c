"""``python -m codefeedback_env`` is the command ``codefeedback``."""

import sys

from codefeedback_env.cli import main

if __name__ == "__main__":
    sys.exit(main())

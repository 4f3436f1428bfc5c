"""Where the time of an RLEF iteration goes; see ``__main__``."""

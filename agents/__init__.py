"""Reference agents, run from a checkout: ``python -m agents evaluate --help``.

They use gymnasium and the public names of ``codefeedback_env``, and nothing else of it.
"""

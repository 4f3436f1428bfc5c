"""Code that runs inside the jail: standard library only, sent there as text.

Its modules are light on imports on purpose (``_signal`` instead of ``signal``): a test pays for
every one of them.
"""

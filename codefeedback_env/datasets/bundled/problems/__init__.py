"""The bundled problems, one module each; every module has a ``PROBLEM``."""

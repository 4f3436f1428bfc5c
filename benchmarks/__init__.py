"""Measurements of the sandboxes and the judge, run by hand from a checkout.

Each ends with one JSON line, and with ``--save`` writes it to a file in ``results/``.
"""

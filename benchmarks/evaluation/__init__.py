"""Suites of evaluations: what is played and measured, and reports beside the paper's numbers."""

"""Runs untrusted programs; knows processes, not problems."""

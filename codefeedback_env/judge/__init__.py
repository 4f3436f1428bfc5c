"""Decides on submissions: a thin client, and worker processes that hold tests and sandboxes."""

"""What is wrong with a dataset: its statements, its tests, and its own programs."""

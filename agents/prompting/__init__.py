"""Agents that prompt a model in more ways than one: baselines without training."""

"""A package as verifiers looks for it by name."""

from codefeedback_env.adapters.verifiers import ChatHarness, CodeEnv, CodeTaskset

__all__ = ["ChatHarness", "CodeEnv", "CodeTaskset"]

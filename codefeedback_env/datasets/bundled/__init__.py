"""The problems that ship with the package."""

"""The same environment inside other trainers, one module each.

Nothing is imported here: each module needs the library it is for, which is an extra of the package.
"""

"""A page to browse episode records: an index of files, the page, and a local server.

Everything that is shown was written by a model or a program under test. docs/viewer.md says how the
page keeps it from being more than text.
"""

"""Formats of demonstrations: recognised by what a file must hold, one module a layout that is read.

`registry.read_source` reads any of them; `recognise.recognise` names the layout, and refuses those that are not read
with a remedy. No pickle is read.
"""

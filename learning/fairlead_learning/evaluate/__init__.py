"""How good a classifier is, and beside what.

In come labelled prompts and a bundle; out go figures, tables and plots. ``metrics``, ``served`` and ``evaluation`` need numpy
alone and are behind ``fairlead eval``; what compares with other methods needs the extra ``train`` and is behind ``make eval``.
Nothing here is learned from, and nothing that serves imports it.
"""

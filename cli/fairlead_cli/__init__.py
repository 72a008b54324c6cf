"""The commands ``fairlead`` and ``kubectl fairlead``: the only package that composes all the others.

In come arguments; out go running parts, or text for a person. What those parts do does not belong here.
"""

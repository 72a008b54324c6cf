"""A large installation in one process: how long it takes to compile, to load, to decide under, and to replace.

``world`` makes the installation; ``compiling``, ``deciding`` and ``swapping`` each measure one thing and add it to the report.
"""

"""The protocols that clients and providers speak.

In come bytes; out go facts, usage and edits of those bytes. A dialect decides nothing: it reads what is asked and what was
answered, and changes no byte it was not told to change.
"""

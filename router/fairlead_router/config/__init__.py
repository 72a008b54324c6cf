"""How a snapshot becomes the running table.

In come sealed snapshots with their credentials from whichever door; out goes one reference to an immutable table. A door
never decides whether a snapshot is good, and a table never changes after it was built.
"""

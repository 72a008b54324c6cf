"""Where snapshots come from: the API server, mounted files, the last good one on disk.

In comes whatever lies there; out go offers to the receiver, which takes the highest valid (epoch, revision) of all doors.
A door knows how to reach its source and whether it does; it never decides whether a snapshot is good.
"""

"""Texts to vectors, with ONNX Runtime.

In come texts of any length and content; out come unit vectors, each of which depends on its text alone. What the vectors
are used for, queues and threads do not belong here; how the graph is made is in ``train/bert``.
"""

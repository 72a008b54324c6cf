"""Whether there is room for a request, and what it asks for.

In come an HTTP request and the limits; out go its body within bounds and one place among those in flight, or a 413 or 503.
"""

"""What is kept of a request: the decision record, one access line, metrics.

In comes a finished request; out go a record to the sinks, a line to standard output and counts. Nothing here waits for a
disk or a network, and nothing here sees a prompt or an answer.
"""

"""Which policy decides about a request.

In come facts, the names a client sent, and what the classifier says where that matters; out goes the first policy, in order,
whose every condition holds. What that policy then does with the request belongs to ``select``.
"""

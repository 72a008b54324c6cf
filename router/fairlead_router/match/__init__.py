"""Which policy decides about a request.

In come facts and the names a client sent; out goes the first policy, in order, whose every condition holds. What that
policy then does with the request belongs to ``select``.
"""

"""Answers given again: to the same question (the response cache) and to the same request sent twice (Idempotency-Key).

In come a request that has been decided and, later, the answer it got; out goes an answer kept before, or the turn to ask a
provider. This is the one place that keeps text, and only sealed: whoever holds the store can read none of it. Which model
answers, what an answer costs and how it is sent are no business of this room.
"""

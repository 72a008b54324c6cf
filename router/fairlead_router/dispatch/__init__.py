"""Calling providers: attempts, retries, fallbacks, breakers and the one upstream client.

In come a selection and a request; out goes an answer that has begun, or the error of the last attempt, with one
``fairlead_contract.decision.Attempt`` for each try. Which models may be tried is not decided here, only when to go on to
the next.
"""

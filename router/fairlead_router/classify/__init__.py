"""What a request is about, asked only when a policy that could still match needs to know.

In come a text and a deadline; out goes a ``fairlead_contract.decision.Classification``. Rules judge on the event loop; where
they are not sure, the learned classifier of a bundle is asked on a thread of its own, or another process is. Nothing here
raises for the sake of a text, a bundle or a store, and nothing keeps a text longer than its classification takes. How rules
and learned classifier judge belongs to ``fairlead_learning``; what follows from a category belongs to ``match``.
"""

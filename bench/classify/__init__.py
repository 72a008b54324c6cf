"""The classifier measured: alone on one core, within its service on all cores, and in the processes that serve it.

``texts`` makes prompts of which the rules are not sure, of an exact number of tokens; ``inside`` runs the service without a
server, ``torch_encoder`` the same encoder with sentence-transformers, ``servers`` starts router and classifier.
"""

"""The conformance suite on gateways that run here: Fairlead from this tree, and the peers of ``bench.peers``.

Composes what does not know one another: the suite imports no gateway, and the gateways know nothing of the suite.
"""

"""A real Kubernetes control plane as ordinary processes, for tests, benches and ``make dev-cluster``.

In comes a folder; out comes a ``ControlPlane`` that answers on 127.0.0.1 and whose parts can be stopped, killed and set back.
There are no nodes: no kubelet, no scheduler, pods stay pending. Nothing of Fairlead is known here, and nothing of the product
imports this. Redis and Sentinel, which tests of the shared state store need, are here too and need nothing of the rest.
"""

"""Real Kubernetes on this machine, for tests, benches, ``make dev-cluster`` and ``make cluster``.

``control_plane`` is etcd, kube-apiserver and kube-controller-manager as ordinary processes on 127.0.0.1, whose parts can be
stopped, killed and set back; there, pods stay pending. ``node`` is a whole cluster of one node that runs pods. ``programs``
builds what both are made of, and the tools that tests need. Nothing of the product imports this. Redis and Sentinel, which
tests of the shared state store need, are here too and need nothing of the rest.
"""

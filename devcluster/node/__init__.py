"""A node for the control plane: containerd, kubelet, kube-proxy and cluster DNS on this machine, as one real cluster.

In comes a folder and the programs built from ``tools/``; out comes a ``Cluster`` that runs pods, answers at Services' addresses
and names, and is taken away without a trace. Each file is one part of it; ``cluster`` puts them in order. Nothing of Fairlead
is known here.
"""

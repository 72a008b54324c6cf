"""The kinds of `fairlead.dev`: what people write, checked and explained.

In: one resource as plain data. Out: a typed, frozen object or every error in it; the CRDs and the reference generated
from the same models. No file, network, clock or Kubernetes client belongs here.
"""

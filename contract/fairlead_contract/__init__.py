"""What crosses process borders: the snapshot that routers obey and the record of each decision.

Plain msgspec structs and their codecs. Both planes import this package and it imports neither of them;
Kubernetes, HTTP, clocks and files do not belong here.
"""

"""The data plane: decides for every request which model answers, and passes the answer on.

Follow a request through the rooms in this order: ``identify`` → ``admit`` → ``match`` → ``classify`` → ``select`` →
``dispatch`` → ``account`` → ``record``; ``pipeline.py`` shows the way on one page. ``config`` receives the snapshot,
``state`` keeps what is learned while serving, ``dialect`` knows the clients' protocol, ``http`` and ``server.py`` put it
all behind two ports, ``explain`` says why. The kinds, YAML and Kubernetes do not belong here: a router knows snapshots only.
"""

"""Makes container images without a registry and without a daemon: Fairlead's, from the Dockerfile at the top, and one of Redis.

In come the tree, pinned wheels and Debian's packages; out come archives as `docker save` writes them, kept in the cache under
names that say what went in, so that the second time nothing is built. Running them does not belong here.
"""

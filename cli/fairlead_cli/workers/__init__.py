"""Several routers on one machine: a supervisor, its workers, and the store they share.

``plan`` decides what to do about workers, ``supervisor`` does it, ``children`` starts processes and talks to them in
``messages``. ``worker`` is a router that does as it is told, ``store_process`` keeps what all share. ``admin`` answers on the
admin port for all of them; what it says is put together by ``merge_*``. A supervisor serves no requests and imports nothing
of the router but its settings.
"""

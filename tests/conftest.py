"""Laws are checked for what they say, not for how fast the machine is that checks them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

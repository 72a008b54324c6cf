"""A thin client of the Kubernetes API on aiohttp, shared by operator and router.

Only what the two need: JSON requests, server-side apply, lists in pages, watches, and following one object. The official
client weighs 40 MB, and none of the small ones speaks server-side apply with a precondition.
"""

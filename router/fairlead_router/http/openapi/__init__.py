"""The OpenAPI documents of both ports: what may be sent, what comes back, and every refusal.

The documents describe what the router itself checks. What it passes on unread is free-form here, and the provider's to judge.
Tests hold the paths to those that are served, and the answers to the schemas. Nothing here decides anything.
"""

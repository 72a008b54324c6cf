"""A large installation on a real API server: how long the operator takes to start and to follow an edit, and its memory."""

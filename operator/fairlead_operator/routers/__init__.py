"""Which routers there are, and what each of them runs."""

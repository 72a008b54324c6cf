"""What a request costs, and the money set aside for it.

In come prices, an upper bound before each attempt and the usage after it; out go integer micro-dollars and a reservation
that is settled exactly once. Which workspace may spend how much is declared elsewhere; the figures live in the store.
"""

"""The learned head: from a text's vector, its n-grams and its surface to calibrated probabilities of categories.

In come arrays and texts; out go numbers. What was learned is read from a bundle; fitting it is `train/`'s.
"""

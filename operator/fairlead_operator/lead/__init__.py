"""One replica leads: a Lease decides which, and a number that only grows keeps a deposed one from writing."""

"""What is learned while serving, behind one interface: money reserved and spent, affinity, breakers shared between routers.

In come small facts with an expiry; out come the same facts, to this process or to all. What a fact means is decided
elsewhere: no policy, price or timeout is known here.
"""

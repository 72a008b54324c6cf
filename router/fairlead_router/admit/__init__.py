"""Whether there is room for a request, and who goes first when there is not.

In come what a request says of its urgency and its bytes; out goes one place among those in service, at once or after a
wait in line, or a refusal. What the request is about does not matter here.
"""

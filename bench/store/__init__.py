"""What the shared state store costs a request, and how soon one router knows what another learned."""

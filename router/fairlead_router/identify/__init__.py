"""Who is asking: workspace, user, session, tier.

In come a request's headers; out goes an :class:`~fairlead_router.identify.identity.Identity`, or a 401. What a credential
says always wins over what a client says; what the subject may call is decided later, from the table.
"""

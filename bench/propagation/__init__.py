"""How soon an edit on the API server is obeyed: from the PATCH to the first request routed by the new rule."""

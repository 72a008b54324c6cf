"""Why a request went where it went: for one that is only asked about, and for one that was served.

In come a request or a record, and a table; out go structured reasons, and the same in words. Explaining uses the very
functions that decide, and calls nobody.
"""

"""Traces and decision events: trace context on the request's path, everything else behind it.

In come the headers of a request and, when it is over, its decision record; out go W3C headers to providers, and spans and
events to a collector, from a thread of their own. ``otlp.py`` alone knows the OpenTelemetry SDK, and is imported only if a
collector is named. No prompt, answer, key or header value is in a span.
"""

"""Changes models in resource files, for a router that is asked to over HTTP.

In come a folder and changes; out goes what was written, or why nothing was. Who may ask is decided before; what then comes of a
folder is the compiler's word, as ever.
"""

"""Resources from a folder: YAML in, compiled frames out.

``yaml_documents`` reads text, ``source`` a folder, ``watch`` decides when to read again, ``process`` is the child of
``fairlead serve`` that does all of it, ``frames`` what the child tells its parent. The parent imports ``frames``,
``problems`` and ``arguments`` only: YAML, pydantic and compilation stay out of the process that serves requests.
"""

"""What can be seen of a text without a model: its surface, its language, its words.

In comes any text: empty, of megabytes, in any script, hostile. Out go numbers and words, in time that does not grow with
its length (``excerpt``). Nothing here knows categories but ``traits``, which is told one.
"""

"""Bundles: folders that carry a model, checked before anything in them is used.

In comes a folder; out come its manifest and the verified bytes of its files, or a
:class:`~fairlead_learning.bundles.errors.BundleError`. ``store`` keeps versions side by side and says which one is in
force. What the bytes mean is the business of the kind's own package.
"""

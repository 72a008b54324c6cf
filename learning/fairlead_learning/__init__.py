"""What learns: features, classifier, predictors and the bundles that carry them.

In come request features and recorded outcomes; out go predictions. Training and its heavy imports
live in sub-packages that serving never loads; HTTP, stores and policies do not belong here.
"""

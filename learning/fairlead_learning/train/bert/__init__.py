"""BERT as an ONNX graph with 8-bit weights, written out operator by operator.

In come the weights of a trained model and its configuration, as numpy arrays and plain numbers; out comes a file that
``encoder`` serves. Nothing here trains, and nothing needs PyTorch. The same weights give the same bytes.
"""

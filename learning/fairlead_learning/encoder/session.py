"""How ONNX Runtime is run: the one place that knows its options."""

from __future__ import annotations

import onnxruntime


def open_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU whose ``run`` may be called by several threads. Raises what ONNX Runtime raises."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Waiting threads sleep: spinning would take the cores that serve requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Lengths differ from run to run, so no plan of memory fits the next one.
    options.enable_mem_pattern = False
    # Beyond the basic level, residual additions are fused with layer normalisations into an operator that takes four
    # times as long here.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # The other format has not been looked at for what it may read; see ``Bundle.read``.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Errors are raised; warnings would go to stderr in a form of their own.
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

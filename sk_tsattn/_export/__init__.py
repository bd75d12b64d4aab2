"""Fitted networks for use outside the estimator: as a torch module, and as an ONNX file."""

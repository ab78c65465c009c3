"""Anomaly-detection models: networks, training on background, export to ONNX."""

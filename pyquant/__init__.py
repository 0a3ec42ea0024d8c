"""Inspect, rewrite, quantize, run and validate `.tflite` models without TensorFlow."""

"""Speech to captions: a port, one adapter (sherpa-onnx), and the pure parts around them."""

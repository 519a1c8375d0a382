"""Keras models. Each maps float32 `[..., d]` to float32 and knows nothing of losses or environments."""

"""The multimodal core: examples, encoders, fusion and task heads; knows neither Ray nor HTTP."""

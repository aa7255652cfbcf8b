"""The bundled responders, which are also examples: they use only the public API of xbot."""

"""The bundled responders. Each is a model of how to write one; they import the public face only."""

"""The HTTP routes, a module per noun."""

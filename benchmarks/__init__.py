"""What the figures of the README come from; each is a command."""

"""What is attached to a signal, and works in C beside its handler until it is closed.

Law: what is attached acts also while the main thread runs no Python code, and leaves the handler
as it is.
"""

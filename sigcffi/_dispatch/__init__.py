"""From the ring, which C fills, to the handlers in Python.

Law: a record is handed to each handler once, or counted as dropped; how handlers come to be
installed is not known here.
"""

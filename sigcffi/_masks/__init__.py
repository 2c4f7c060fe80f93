"""Which signals a thread keeps out, and what is read of those that are pending.

Law: a mask belongs to the thread that calls, and nothing here knows of handlers.
"""

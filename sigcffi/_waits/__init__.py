"""Waiting for signals, and sleeping until something has come.

Law: a wait ends when what it waits for has come, and Python handlers run meanwhile as ever.
"""

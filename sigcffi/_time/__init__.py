"""Timers, and blocks that end in time.

Law: a time is exact nanoseconds from the argument to the kernel, and only ``limits`` decides when a
block is interrupted.
"""

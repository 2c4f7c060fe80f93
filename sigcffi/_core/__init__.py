"""What every room stands on: the door to C, numbers and names, the main thread, how blocks end.

Law: nothing here installs a handler or keeps one, and only ``ffi`` imports the compiled module.
"""

"""How a program stops well.

Law: a stage only grows, in C, also while Python is stuck; Python interrupts the program when it
sees the second.
"""

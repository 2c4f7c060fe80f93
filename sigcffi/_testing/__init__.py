"""What tests of programs need: signals as they are, and signals at every place in turn.

Law: nothing here is imported but by a test.
"""

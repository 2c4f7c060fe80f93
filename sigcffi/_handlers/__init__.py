"""What programs say about handlers, and ask.

Law: arguments are checked here as the standard module checks them, before anything has changed;
``_changes`` changes it.
"""

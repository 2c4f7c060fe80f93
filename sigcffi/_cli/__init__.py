"""The command line: ``sigcffi show``, ``watch``, ``send``, ``run``.

Law: a command is made of what the package offers to every program. What goes wrong is one line on
standard error and an exit status, and a command line that is not understood changes nothing.
"""

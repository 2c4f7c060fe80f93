"""How what is done about a signal changes: a plan, its steps, and what there is now.

Law: nothing else changes what the kernel does with a signal on behalf of Python handlers, and all
steps that a change takes are planned before the first is taken.
"""

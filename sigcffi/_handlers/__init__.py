"""Installing handlers: what is done about a signal, and looking at it.

Law: only these modules change what the kernel does with a signal on behalf of Python handlers.
"""

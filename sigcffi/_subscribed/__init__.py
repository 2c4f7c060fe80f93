"""Several callbacks for one signal, in the main thread or in one of the library's own.

Law: a subscriber comes on top of what is installed and takes nothing from it.
"""

"""The sdist and the wheels of a release: ``python -m tools.wheels``."""

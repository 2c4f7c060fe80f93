"""What makes and checks releases. Nothing of it is installed."""

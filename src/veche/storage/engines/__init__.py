"""What differs between databases, and nothing else: one module each."""

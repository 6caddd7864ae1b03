"""What differs between kinds of databases. Each kind has one module."""

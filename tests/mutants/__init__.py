"""Changes of the code that the tests must notice."""

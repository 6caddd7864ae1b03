"""The chaos checker: real clients, a server that is killed repeatedly, and an analysis of what each client received."""

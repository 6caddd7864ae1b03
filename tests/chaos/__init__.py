"""The checker: real clients, a server that is killed again and again, and an analyser of what everybody saw."""

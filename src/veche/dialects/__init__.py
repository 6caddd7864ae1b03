"""The dialects: one folder for each wire contract. "The original" is the server that a contract comes from."""

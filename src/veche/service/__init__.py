"""The services that every dialect uses: the chat (commands and queries), accounts, tokens, passwords, login limits."""

"""The rules of the chat: its values, commands, events and decisions. This package does no I/O and reads no clock."""

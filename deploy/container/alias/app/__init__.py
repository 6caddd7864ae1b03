"""The name of a package of the server whose contract the messenger dialect copies. Only the image has it."""

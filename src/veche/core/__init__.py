"""What the chat is: values, commands, events and the rules that join them. No I/O, no clock."""

"""What every dialect calls: one function for commands, one place for each question."""

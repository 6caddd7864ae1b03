"""What every door calls: one function for commands, one place for each question."""

"""Behind every door: tokens, passwords, how often one may try, and accounts."""

"""Behind every dialect: tokens, passwords, how often one may try, and accounts."""

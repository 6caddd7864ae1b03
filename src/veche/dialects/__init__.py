"""What the bytes mean: one thin folder for each wire contract."""

"""House rules as checks; each says what to do."""

"""The hub, with a fake log to read from and subscribers that note what is written to them."""

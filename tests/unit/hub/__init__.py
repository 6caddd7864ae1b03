"""The hub, with a fake log to read from and connections that note what is written to them."""

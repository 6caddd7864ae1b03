"""The kinds of databases: how each is opened, migrated, examined, copied and kept from others. `opening` uses them."""

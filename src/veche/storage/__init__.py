"""The log on disk: schema, migrations, the group-commit writer, and reads."""

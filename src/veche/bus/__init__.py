"""The bus: tells every process of the server which entries were committed. It may lose announcements."""

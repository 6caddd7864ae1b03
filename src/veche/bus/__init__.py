"""The bus: tells every node which entries were committed. It may lose announcements."""

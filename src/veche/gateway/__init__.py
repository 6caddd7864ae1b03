"""What all dialects share: clients, handlers of connections, HTTP, and one application for several dialects."""

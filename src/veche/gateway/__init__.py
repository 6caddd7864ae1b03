"""What all dialects share: clients and their connections, REST plumbing, and one application for several dialects."""

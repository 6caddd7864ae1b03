"""The rooms contract (seed 001), beside its transcripts in ../transcripts/rooms."""

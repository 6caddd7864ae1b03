"""Tests of the rooms dialect, in addition to its transcripts in ../transcripts/rooms."""

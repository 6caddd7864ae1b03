"""Veche beside the programs that one would pick instead: the same work, the same load client, in turns."""

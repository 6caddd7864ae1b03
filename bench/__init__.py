"""Benchmarks: Veche compared with a simple FastAPI chat and with the machine's limit, as ratios within one run."""

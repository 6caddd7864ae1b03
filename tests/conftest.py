"""How many examples each property test tries: all of them, or with `--hypothesis-profile=quick` less than a third.

An example has no deadline, because a busy machine may need long for one.
The fixtures `postgres` and `redis` come from services/fixtures.py.
"""

from hypothesis import settings

settings.register_profile("full", settings(), deadline=None)
settings.register_profile("quick", settings(), deadline=None, max_examples=30)
settings.load_profile("full")

pytest_plugins = ["tests.services.fixtures"]

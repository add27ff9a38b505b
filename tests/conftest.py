"""For all tests: hypothesis has no deadline, as machines are shared, and draws as many examples as asked."""

from hypothesis import settings

from tests.examples import TIMES

settings.register_profile("shared", deadline=None, max_examples=100 * TIMES)
settings.load_profile("shared")

"""Property tests are never timed: on a shared machine a slow example proves nothing."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

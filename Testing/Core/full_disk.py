"""A disk that fills up, for the tests of what is written."""

import resource
from contextlib import contextmanager


@contextmanager
def full_disk(capacity):
    """Let no file grow beyond ``capacity`` bytes: what the libraries see is a disk that fills up while they write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (capacity, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

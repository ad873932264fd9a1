"""Wait until something has come to be."""

import time

WITHIN_S = 120


def until(look):
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to this")

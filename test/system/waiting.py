"""Waiting for what sends no event, within a bound."""
import time

INTERVAL_S = 0.02


def wait_for(condition, what, timeout_s=60):
    """The first true value of `condition()`, asked every 20 ms; fails after `timeout_s`, saying `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(INTERVAL_S)

"""shrink.py: fewer steps that end in the same difference."""
import time

from session import BATCH_MAX, Lost

SHRINK_S = 20


def shortest(session, steps, difference):
    """Steps, and the difference that they end in; those that were given if
    they do not end in one when they are sent again."""
    end = time.monotonic() + SHRINK_S

    def ends_so(trial):
        return differs(session, trial, difference)

    try:
        found = ends_so(steps)
        if not found:
            return steps[-10:], difference._replace(
                text=difference.text + "; not again: the last ten steps")
        size = len(steps) - 1
        while size >= 1 and time.monotonic() < end:
            at = len(steps) - 1 - size
            while at > -size and time.monotonic() < end:
                trial = steps[:max(0, at)] + steps[at + size:]
                again = ends_so(trial)
                if again:
                    steps, found = trial, again
                at -= size
            size //= 2
        return steps, found
    except (Lost, OSError):
        return steps[-10:], difference


def beyond_limits(difference):
    """Without the steps that keep values short, one may be too long."""
    return b"a value has at most" in (difference.replies[1] or b"")


def differs(session, steps, difference):
    """The difference, if these steps end in one of the same command."""
    session.fresh()
    counts = {name: list(count) for name, count in session.counts.items()}
    try:
        for found in session.run(steps, lambda: BATCH_MAX):
            good = found.at == len(steps) - 1 and (
                found.step[2] is difference.step[2]) and (
                beyond_limits(found) == beyond_limits(difference))
            return found if good else None
        return None
    finally:
        session.counts = counts

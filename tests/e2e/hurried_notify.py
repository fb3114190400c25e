"""``envstream notify`` in a hurry: a week of alerts passes in a minute here, and its limits with it.

What the table counts by the minute and the hour (back-offs, windows of robots, messages to a person) is shortened;
everything else is ``envstream notify`` as it stands. ``python -m tests.e2e.hurried_notify OPTIONS``.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import envstream
from desk.notify import limits


def _hurried(whole: limits.Limits) -> limits.Limits:
    webhook = replace(whole.kinds["webhook"], windows=((6, 12),))
    return replace(whole, back_off_s=(1.0, 5.0, 10.0), person_per_hour=10**6, kinds={**whole.kinds, "webhook": webhook})


if __name__ == "__main__":
    _table = _hurried(limits.read())
    limits.read = lambda document=None: _table
    envstream.main(["notify", *sys.argv[1:]])

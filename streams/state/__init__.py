"""State that survives a crash at any moment: the kernel, and what judges keep in it. Knows no domain.

The contract is on one page, ``docs/kernel.md``. :mod:`kernel` drives judges and orders outputs, checkpoint and
acknowledgement; :mod:`judge` is the frame a judge fills in; :mod:`slots`, :mod:`shelf` and :mod:`timers` are what it
keeps.
"""

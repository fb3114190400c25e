"""The words: every message, topic, table and measurement, and the district's registry.

Knows nothing of ours. Everything that crosses a process boundary is written down here once, with a
version, so that a reader of the log needs no other room to understand it.
"""

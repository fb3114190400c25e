"""The people: the duty desk, the roster, the push channels."""

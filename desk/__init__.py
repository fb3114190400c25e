"""The people: the duty desk, the roster, the push channels. Empty until alerts exist."""

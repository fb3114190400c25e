"""A district that can be simulated: what is physically true of it, and the loggers that report it."""

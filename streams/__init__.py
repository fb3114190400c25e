"""The pipes: broker, gateway, replay, state kernel, sink. Knows schemas; judges nothing."""

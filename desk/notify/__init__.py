"""The way out: notices to people by their channels, every attempt recorded (docs/notify.md, decision 0016)."""

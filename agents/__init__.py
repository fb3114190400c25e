"""The judges: thin. They keep slots, ask the law, publish."""

"""The duty desk: pages of what is open, who has it and what was said, and the way of what people decide."""

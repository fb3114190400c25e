"""How fast people are told: from the packet to the robot, ten thousand open alerts on the desk, a storm of alerts."""

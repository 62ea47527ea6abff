"""Short films that editors cut out of lectures, to be published elsewhere."""

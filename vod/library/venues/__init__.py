"""Places for teaching on site 现场教学点."""

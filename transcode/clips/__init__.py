"""Short films cut out of a published lecture: upright or wide, captions burned in, limited size."""

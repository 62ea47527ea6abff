"""What lies in the blob store and belongs to nobody."""

"""What members watched of lectures: where to go on, what is finished, what they keep at hand."""

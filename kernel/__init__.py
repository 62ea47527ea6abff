"""The small shared kernel: what two or more rooms need, and nothing else."""

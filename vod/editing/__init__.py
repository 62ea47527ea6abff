"""Cutting lectures: what is kept, in which version; the uncut set stays. The work is a job."""

"""`hall demo`: a believable centre with a class that is live, fed by a generated lecture."""

from hall.demo.run import run_demo

__all__ = ["run_demo"]

"""A telescope's server on this machine, which speaks both interfaces and has faults.

It stands in for telescopes in the demo and the tests. Its answers are those that public clients
expect; what a real telescope accepts, only that telescope tells.
"""

from fink_al.demo.standin.queue import FAULTS, Call, Entry, Fault, Queue
from fink_al.demo.standin.server import StandIn

__all__ = ["FAULTS", "Call", "Entry", "Fault", "Queue", "StandIn"]

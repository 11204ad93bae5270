"""How the threads of torch wait for each other."""

WAITING = {"OMP_WAIT_POLICY": "passive"}
"""Environment of a process, to be set before torch is loaded: its threads sleep while they wait.

By default those of OpenMP turn in circles, which takes the cores that others need to get done what is waited for:
with two threads on two busy cores a registration took 3.6 times as long, and as much CPU (our own measurement).
"""

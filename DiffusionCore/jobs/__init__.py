"""Registrations in a process of their own: what is asked for, what is reported, and who runs it.

::

    specification  what to do            process       the runner: a worker, polled      worker     the process itself
    events         what is reported      in_process    the same without a process       execution  what both carry out
"""

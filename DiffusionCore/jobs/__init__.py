"""Registrations in a process of their own: what is asked for, what is reported, and who runs it."""

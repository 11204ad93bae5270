"""The commands of the shell, one file each: ``add_parser`` declares the arguments, ``run`` returns the exit code.

Nothing heavy is imported before ``run``, so that help and usage errors come at once.
"""

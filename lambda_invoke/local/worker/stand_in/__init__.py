"""A directory for the worker's ``sys.path``, where awslambdaric's C extension cannot be imported."""

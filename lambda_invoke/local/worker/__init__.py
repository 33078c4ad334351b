"""What runs inside a worker process: scripts and modules that import nothing of lambda_invoke."""

"""AWS's behaviours, tried on the local Lambda, on moto without Docker and on MiniStack."""

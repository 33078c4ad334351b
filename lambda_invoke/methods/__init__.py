"""The clients' methods by subject: each module has those of the blocking client and of the asyncio one."""

"""The thin asyncio and thread skin around the core: pacing, encoding threads, sockets."""

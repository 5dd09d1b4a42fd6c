"""What reads a room and gives it to the outside: recordings, live streams. May be slow, may fail, may hang.

Nothing here is on the tick's way: sound is handed over in chunks, and the work is done in child processes.
"""

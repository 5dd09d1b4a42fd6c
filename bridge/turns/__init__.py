"""The turns of a conversation: who waits for whom, who talks over whom. Words and rules: docs/turns.md.

`meter.py` measures and `report.py` says what it gives, for live streams and the test harness alike: pure, on
the time of the sound. `watch.py` feeds meters from the switchboard; nothing here knows legs or requests.
"""

"""What Prometheus gets: `page.py` renders a `Reading` of the whole bridge, the others their part of it.

The only door to Prometheus' client. Only figures come in; who gathers them is `bridge/readings.py`.
"""

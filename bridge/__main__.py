"""`python -m bridge` is `mediabridge`."""

from __future__ import annotations

import sys

from bridge.cli.main import main

sys.exit(main())

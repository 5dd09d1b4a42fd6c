"""The media bridge. Only `bridge.app` knows every other module; see docs/design.md."""

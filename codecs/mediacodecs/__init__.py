"""Codecs and signal processing: arrays and bytes only; no time, no network, no logging."""

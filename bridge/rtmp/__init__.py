"""RTMP's messages, chunks and values, for those who publish and those who play. Pure; no connections here."""

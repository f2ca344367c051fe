"""Wires: sans-I/O codecs and thin asyncio shells around them."""

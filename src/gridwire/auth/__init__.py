"""The shared auth layer: conversations with identity providers as flows, and the caches in front of them."""

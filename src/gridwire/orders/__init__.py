"""The hot path of orders, the same for every venue: compiled messages, and the desk that sends them."""

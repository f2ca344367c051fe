"""What can be seen from outside: events, timings, and the redaction every output passes through."""

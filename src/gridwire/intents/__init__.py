"""What must not be lost or doubled: the journal of every call that changes something, its guard, and its reconciliation."""

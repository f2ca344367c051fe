"""EDSN Partners in Energie in memory."""

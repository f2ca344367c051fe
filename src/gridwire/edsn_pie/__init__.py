"""EDSN Partners in Energie: notifications over AMQP 1.0, tickets and comments over REST."""

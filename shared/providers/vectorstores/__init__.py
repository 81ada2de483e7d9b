"""Vector stores: the embedded one, durable and safe with several processes on one host."""

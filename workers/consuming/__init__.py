"""What a worker process is to the messages that it consumes: how they come in, who may run, what was done."""

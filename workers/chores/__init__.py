"""Background chores, one file each: any number of processes may run them, a lease lets one act."""

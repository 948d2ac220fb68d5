-- One node at a time adopts events of another cluster, and nobody writes or removes any meanwhile.
lock table events, event_readers, event_horizon in exclusive mode

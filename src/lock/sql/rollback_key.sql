-- Lets an inner key go; also leaves a failed state.
rollback to savepoint tocsin_key

-- The fence is taken and dropped under this savepoint.
savepoint tocsin_fence

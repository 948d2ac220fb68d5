-- Forgets the fence's savepoint.
release savepoint tocsin_fence

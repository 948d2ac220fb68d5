-- Drops the fence (rolling back to a savepoint releases the advisory locks taken since).
rollback to savepoint tocsin_fence

-- What is locked from here on can be let go alone.
savepoint tocsin_key

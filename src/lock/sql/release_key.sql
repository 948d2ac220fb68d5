-- Forgets the savepoint of an inner key.
release savepoint tocsin_key

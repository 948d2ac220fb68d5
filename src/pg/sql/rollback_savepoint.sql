-- Undoes the piece that savepoint.sql began; it can then be released, or tried again.
rollback to savepoint tocsin_piece

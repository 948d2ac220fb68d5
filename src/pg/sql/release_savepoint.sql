-- Keeps the piece that savepoint.sql began.
release savepoint tocsin_piece

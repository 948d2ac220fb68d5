-- Begins a piece of a joined transaction (pg/join.h).
savepoint tocsin_piece

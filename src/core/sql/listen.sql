-- Asks for hints (core/hints.h).
listen tocsin
